"""The idle lane: work for when the loop has nothing better to do, such as thumbnails and warming caches."""

from __future__ import annotations

from greenroom.lanes.greenlet import GreenletLane

PATIENCE = 1.0  # seconds after which a turn is taken even if the loop is never idle


class IdleLane(GreenletLane):
    """Begins one thing at a time, when the loop is idle; under steady traffic, when its patience ends."""

    name = "idle"

    def __init__(self, size: int = 4) -> None:
        super().__init__(size)
        self._idle = self._hub.loop.idle()
        self._impatience = self._hub.loop.timer(PATIENCE)

    def _schedule(self) -> None:
        self._idle.start(self._take_idle_turn)
        self._impatience.start(self._take_idle_turn)

    def _schedule_next(self) -> None:
        self._schedule()

    def _take_idle_turn(self) -> None:
        self._idle.stop()
        self._impatience.stop()
        self._turn_comes = False
        self.turning()
        self._turn_ends = 0.0  # one thing, then wait to be idle again
        if (self._jobs or self._calls) and self._running_jobs + self._running_calls < self.limit:
            self._resume_worker()
            self._ask_for_turn()
