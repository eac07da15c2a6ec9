"""A stop: that the process was told to end, and how much time it has left for that.

The handlers are Python's own. gevent's run in the event loop, and wait for as long as a task blocks it; these
run between two bytecodes of that task, note the moment, and leave the rest to the loop.
"""

from __future__ import annotations

import faulthandler
import os
import signal
from contextlib import suppress
from math import inf
from types import FrameType
from typing import Any, Self

from gevent import get_hub
from gevent.event import Event

from greenroom.clock import SystemClock

_STDERR = 2
_MARGIN = 5.0  # seconds beyond the drain to give back tasks and close the store in


class Stop:
    """SIGTERM or SIGINT sets `asked`, and the drain of so many seconds begins; another one sets `urgent`."""

    def __init__(self, drain: float) -> None:
        self.asked = Event()
        self.urgent = Event()
        self._drain = drain
        self._ends = inf
        self._clock = SystemClock()
        self._loop = get_hub().loop
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        for number in (signal.SIGTERM, signal.SIGINT):
            self._before[number] = signal.signal(number, self._note)
        self._before[signal.SIGPIPE] = signal.signal(signal.SIGPIPE, signal.SIG_IGN)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        faulthandler.cancel_dump_traceback_later()

    def left(self) -> float:
        """Seconds left of the drain."""
        return max(0.0, self._ends - self._clock.monotonic())

    def _note(self, number: int, frame: FrameType | None) -> None:
        """Runs amid anything, so it takes no lock, and does not touch what belongs to the loop."""
        again = self._ends < inf
        seconds = 0.0 if again else self._drain
        self._ends = min(self._ends, self._clock.monotonic() + seconds)
        # On a native thread: if a task blocks the loop beyond that, say where and end. Its job is rescued.
        faulthandler.dump_traceback_later(seconds + _MARGIN, exit=True, file=_STDERR)
        rest = "ending now" if again else f"ending within {seconds:g} s, or at once if told again"
        with suppress(OSError):
            os.write(_STDERR, f"greenroom: {signal.Signals(number).name}: {rest}\n".encode())
        self._loop.run_callback_threadsafe(self.urgent.set if again else self.asked.set)
