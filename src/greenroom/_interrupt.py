"""Tells a real Ctrl-C from a task that raises KeyboardInterrupt by itself.

Python raises KeyboardInterrupt in whichever greenlet runs when SIGINT arrives, which may be a task's. Raised by
the task it is a failure like another; raised by the signal it is meant for the whole process.
"""

from __future__ import annotations

import signal
from contextlib import suppress
from types import FrameType
from typing import Any

from gevent import get_hub

_came = False
_rooms: set[object] = set()


def listen(room: object) -> None:
    """Note SIGINT before Python's own handler raises. A handler of the user's own is left as it is."""
    _rooms.add(room)
    _replace(signal.default_int_handler, _note)


def unlisten(room: object) -> None:
    """Give Python its handler back, once no room runs any more."""
    _rooms.discard(room)
    if not _rooms:
        _replace(_note, signal.default_int_handler)


def has_come(error: BaseException) -> bool:
    """Whether this error is the signal's doing; asked once for each."""
    global _came
    came, _came = _came and isinstance(error, KeyboardInterrupt), False
    return came


def pass_on(error: BaseException) -> None:
    """Raise it in the main greenlet, where the process is to end."""
    get_hub().handle_system_error(type(error), error)


def _note(signal_number: int, frame: FrameType | None) -> None:
    global _came  # noqa: PLW0603
    _came = True
    signal.default_int_handler(signal_number, frame)


def _replace(old: Any, new: Any) -> None:
    if signal.getsignal(signal.SIGINT) is old:
        with suppress(ValueError):  # signals are a matter of the main thread alone
            signal.signal(signal.SIGINT, new)
