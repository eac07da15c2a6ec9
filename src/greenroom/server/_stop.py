"""A stop: that the process was told to end, and how much time it has left for that.

The handlers are Python's own. gevent's run in the event loop, and wait for as long as a task blocks it; these
run between two bytecodes of that task, note the moment, and leave the rest to the loop. If that does not turn when
the drain is over, a thread gives back what runs and ends the process; if it does not get to, C does.
"""

from __future__ import annotations

import faulthandler
import os
import signal
from collections.abc import Callable
from contextlib import suppress
from math import inf
from types import FrameType
from typing import Any, Self

from gevent import get_hub
from gevent.event import Event

from greenroom._native import allocate_lock, start_thread
from greenroom.clock import SystemClock
from greenroom.errors import StoreError
from greenroom.server._refusal import FAILED

_STDERR = 2
_BLOCKED = 1.0  # seconds beyond the drain after which a loop that has not turned is given up
_HELD = 1.75  # seconds beyond the drain after which the process ends even if no thread of Python's gets to run
_CLOSING = 5.0  # seconds beyond the drain to give back tasks and close the store in, while the loop turns


class Stop:
    """SIGTERM or SIGINT sets `asked`, and the drain of so many seconds begins; another one sets `urgent`.

    SIGHUP sets `renewal`: a successor is to be started. When the terminal is gone it is a stop like the others.
    `give_back` is called, on a native thread, before a process is ended whose loop does not turn.
    """

    def __init__(self, drain: float, give_back: Callable[[], object] = lambda: None) -> None:
        self.asked = Event()
        self.urgent = Event()
        self.renewal = Event()
        self._had_terminal = os.isatty(_STDERR)
        self._pid = os.getpid()
        self._drain = drain
        self._give_back = give_back
        self._ends = inf
        self._turned_in_time = False
        self._clock = SystemClock()
        self._loop = get_hub().loop
        self._deadline: Any = None
        self._bell = allocate_lock()
        self._bell.acquire()
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        for number in (signal.SIGTERM, signal.SIGINT):
            self._before[number] = signal.signal(number, self._note)
        self._before[signal.SIGHUP] = signal.signal(signal.SIGHUP, self._note_renewal)
        self._before[signal.SIGPIPE] = signal.signal(signal.SIGPIPE, signal.SIG_IGN)
        for number in (signal.SIGUSR1, signal.SIGUSR2):
            if signal.getsignal(number) is signal.SIG_DFL:  # which ends the process, and it may be somebody's mistake
                self._before[number] = signal.signal(number, lambda *_: None)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._turned_in_time = True
        if self._deadline is not None:
            self._deadline.stop()
            self._deadline.close()
        faulthandler.cancel_dump_traceback_later()

    def left(self) -> float:
        """Seconds left of the drain."""
        return max(0.0, self._ends - self._clock.monotonic())

    def begin(self, why: str) -> None:
        """End as if told to, for that reason."""
        if self._ends == inf:
            self._begin(why)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if os.getpid() != self._pid:  # a forked child, which is no server
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
            return
        self._begin(signal.Signals(number).name)

    def _note_renewal(self, number: int, frame: FrameType | None) -> None:
        if os.getpid() != self._pid or (self._had_terminal and not os.isatty(_STDERR)):
            self._note(number, frame)
        else:
            self._loop.run_callback_threadsafe(self.renewal.set)

    def _begin(self, why: str) -> None:
        """Runs amid anything, so it takes no lock, and does not touch what belongs to the loop."""
        again = self._ends < inf
        seconds = 0.0 if again else self._drain
        self._ends = min(self._ends, self._clock.monotonic() + seconds)
        # On a thread of C's: if a task blocks the loop beyond that, say where and end. Its job is rescued.
        faulthandler.dump_traceback_later(seconds + _HELD, exit=True, file=_STDERR)
        if again:
            with suppress(RuntimeError):  # it rings already
                self._bell.release()
        else:
            start_thread(self._watch)
        rest = "ending now" if again else f"ending within {seconds:g} s, or at once if told again"
        with suppress(OSError):
            os.write(_STDERR, f"greenroom: {why}: {rest}\n".encode())
        self._loop.run_callback_threadsafe(self._heard, self.urgent if again else self.asked)

    def _heard(self, event: Event) -> None:
        """The loop turns, and will be seen to turn when the drain is over."""
        event.set()
        if self._deadline is not None:
            self._deadline.close()
        self._loop.update_now()
        self._deadline = self._loop.timer(self.left())
        self._deadline.start(self._turned)

    def _turned(self) -> None:
        self._turned_in_time = True
        faulthandler.dump_traceback_later(_CLOSING, exit=True, file=_STDERR)

    def _watch(self) -> None:
        """On a native thread: end the process if its loop does not turn in time."""
        while (left := self._ends + _BLOCKED - self._clock.monotonic()) > 0:
            self._bell.acquire(True, left)
        if not self._turned_in_time:
            with suppress(StoreError):  # then it is rescued
                self._give_back()
            faulthandler.dump_traceback(file=_STDERR)
            os._exit(FAILED)
