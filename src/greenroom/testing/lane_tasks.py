# ruff: noqa: D103 - a task is its name and what it does
"""What LaneSuite has a lane do: module-level functions, for a lane may call them in another process.

So all that they and their test tell each other while they run, they tell by files in a folder.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any
from uuid import uuid4

from gevent import GreenletExit
from gevent.event import Event

from greenroom import Greenroom
from greenroom.context import baggage, request_id

room = Greenroom("memory://")  # never opened: it is asked which task runs

_A_MOMENT = 0.003
_FATAL = {kind.__name__: kind for kind in (SystemExit, KeyboardInterrupt, GreenletExit, StopIteration)}
FATAL = tuple(_FATAL)


class Folder:
    """Where notes are left."""

    def __init__(self, path: str) -> None:
        self.path = path

    def leave(self, word: str) -> Path:
        note = Path(self.path, f"{word}-{uuid4().hex}")
        note.touch()
        return note

    def count(self, word: str) -> int:
        return len(list(Path(self.path).glob(f"{word}-*")))

    def wait_for(self, word: str, count: int = 1) -> None:
        while self.count(word) < count:
            Event().wait(_A_MOMENT)


def add(a: int, b: int) -> int:
    return a + b


def break_down(message: str) -> None:
    raise ValueError(message)


def raise_fatal(name: str) -> None:
    raise _FATAL[name]


def succeed_at(path: str, number: int) -> int:
    """Fails until it is tried for the number-th time."""
    folder = Folder(path)
    folder.leave("tried")
    if folder.count("tried") < number:
        raise ConnectionError(f"try {folder.count('tried')}")
    return folder.count("tried")


def stay(path: str) -> str:
    """Comes, and stays until the curtain falls."""
    folder = Folder(path)
    folder.leave("came")
    folder.wait_for("curtain")
    return "stayed"


def report_and_stay(path: str) -> str:
    room.current().progress(3, 4, "rows")
    return stay(path)


def count_those_present(path: str) -> int:
    """Looks how many are there at once, for a few moments."""
    folder = Folder(path)
    mine = folder.leave("present")
    most = 0
    for _ in range(3):
        most = max(most, folder.count("present"))
        Event().wait(_A_MOMENT)
    mine.unlink()
    return most


def tell_what_was_carried() -> list[Any]:
    return [request_id.get(), dict(baggage.get())]


def tell_attempts(path: str) -> list[int]:
    """Fails at first, then tells which attempt this is, and how many have begun."""
    return [room.current().attempt, succeed_at(path, 2)]


def tell_context(context: object, word: str) -> list[Any]:
    return [room.current().attempt, context is room.current(), word]


def write_to_the_log(message: str) -> None:
    logging.getLogger("greenroom.testing.task").warning(message)
