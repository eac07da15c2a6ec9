"""What a process and its children say to each other: messages, and the frames that they travel in.

A frame is the length of what follows, and a pickle. What is the app's own (arguments, results, exceptions) is
pickled apart, inside of the message: what cannot be read of it is then the matter of one errand, and not of the
connection.
"""

from __future__ import annotations

import pickle
import struct
from datetime import datetime
from typing import Any, NamedTuple

from greenroom.job import Job

PROTOCOL = 5
CHUNK = 65_536

_length = struct.Struct("!Q")


class Main(NamedTuple):
    """The parent's `__main__`: run as a module (`python -m name`), or as a file."""

    name: str | None
    path: str | None


class Levels(NamedTuple):
    """What the parent's loggers let through."""

    disabled: int
    root: int
    loggers: dict[str, int]


class Start(NamedTuple):
    """To a new child: what it is a child of, and the module to begin with."""

    argv: list[str]
    parent: int
    main: Main | None
    module: str


class Order(NamedTuple):
    """To a child: call this function."""

    module: str
    qualname: str
    task: str
    takes_context: bool
    call: bytes  # args and kwargs
    job: Job  # without its payload
    deadline: datetime | None
    context: str | None
    is_interruptible: bool
    levels: Levels | None  # None: as they were


class Draining(NamedTuple):
    """To a child: its parent is to end soon, and a signal comes that makes it look."""


class Stop(NamedTuple):
    """To a child: what it is to raise in the task, before a signal that makes it look."""

    error: bytes | None


class Ready(NamedTuple):
    """From a child: its imports are done."""


class Progressed(NamedTuple):
    """From a child: the task has said how far it is."""

    done: float
    total: float | None
    note: str


class Logged(NamedTuple):
    """From a child: a log record."""

    record: dict[str, Any]


class Enqueued(NamedTuple):
    """From a child: the task has enqueued something."""


class Returned(NamedTuple):
    """From a child, the last of an errand: the function returned."""

    value: bytes


class Raised(NamedTuple):
    """From a child, the last of an errand: the function raised. `error` is None if it does not pickle."""

    error: bytes | None
    path: str
    message: str
    traceback: str


def frame(message: object) -> bytes:
    """The message as it travels."""
    body = pickle.dumps(message, PROTOCOL)
    return _length.pack(len(body)) + body


class Frames:
    """Puts together what comes in pieces."""

    def __init__(self) -> None:
        self._bytes = bytearray()

    def feed(self, data: bytes) -> None:
        self._bytes += data

    def next(self) -> Any:
        """The next message; None if it has not wholly come."""
        have = len(self._bytes)
        if have < _length.size:
            return None
        (size,) = _length.unpack_from(self._bytes)
        ends = _length.size + size
        if have < ends:
            return None
        with memoryview(self._bytes) as view:
            message = pickle.loads(view[_length.size : ends])  # noqa: S301  (of our own process)
        del self._bytes[:ends]
        return message
