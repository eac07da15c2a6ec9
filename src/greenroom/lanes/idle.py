"""The idle lane: work for when the loop has nothing better to do, such as thumbnails and warming caches."""

from __future__ import annotations

from collections.abc import Callable

from greenroom.lanes.greenlet import GreenletLane
from greenroom.lanes.traffic import traffic

PATIENCE = 1.0  # seconds after which a turn is taken even if the loop is never idle
_LOOK_AGAIN = 0.02  # seconds until the next look, while there are requests


class IdleLane(GreenletLane):
    """Begins one thing at a time, when the loop is idle and no request is in flight, or when its patience ends."""

    name = "idle"

    def __init__(self, size: int = 4) -> None:
        super().__init__(size)
        self.is_late: Callable[[], bool] = lambda: False  # whether the loop is; told by the guard
        self._idle = self._hub.loop.idle()
        # Started by `again`: `start` would go on with what was left of the time when they were stopped, or nothing.
        self._look = self._hub.loop.timer(_LOOK_AGAIN, _LOOK_AGAIN)
        self._impatience = self._hub.loop.timer(PATIENCE, PATIENCE)

    def forsake(self) -> None:
        super().forsake()
        for watcher in (self._idle, self._look, self._impatience):
            watcher.stop()

    def _schedule(self) -> None:
        self._idle.start(self._take_turn_if_quiet)
        self._impatience.again(self._take_idle_turn)

    def _schedule_next(self) -> None:
        self._schedule()

    def _take_turn_if_quiet(self) -> None:
        # A request that waits leaves the loop idle, and is still one.
        if traffic.in_flight or self.is_late():
            self._idle.stop()  # it would turn the loop all the while
            self._look.again(self._look_once_more)
        else:
            self._take_idle_turn()

    def _look_once_more(self) -> None:
        self._look.stop()
        self._idle.start(self._take_turn_if_quiet)

    def _take_idle_turn(self) -> None:
        self._idle.stop()
        self._look.stop()
        self._impatience.stop()
        self._turn_comes = False
        self.turning()
        self._turn_ends = 0.0  # one thing, then wait to be idle again
        if (self._jobs or self._calls) and self._running_jobs + self._running_calls < self.limit:
            self._resume_worker()
            self._ask_for_turn()
