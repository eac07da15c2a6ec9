"""Tells a real Ctrl-C from a task that raises KeyboardInterrupt by itself.

Python raises KeyboardInterrupt in whichever greenlet runs when SIGINT arrives, which may be a task's. Raised by
the task it is a failure like another; raised by the signal it is meant for the whole process.
"""

from __future__ import annotations

import signal
import threading
from types import FrameType

from gevent import get_hub

_came = False


def listen() -> None:
    """Note SIGINT before Python's own handler raises. A handler of the user's own is left as it is."""
    is_main = threading.current_thread() is threading.main_thread()
    if is_main and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _note)


def unlisten() -> None:
    """Give Python its handler back."""
    is_main = threading.current_thread() is threading.main_thread()
    if is_main and signal.getsignal(signal.SIGINT) is _note:
        signal.signal(signal.SIGINT, signal.default_int_handler)


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
