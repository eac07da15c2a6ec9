"""The crowd: threads that compute at once, and keep the loop from the interpreter that they share with it.

Two of them get no more done than one does, for there is one interpreter; but the loop, which has to ask for it a few
times in each request, waits for all of them each time: beside four, requests took up to two seconds. A thread whose
C code lets go of the interpreter is no part of a crowd, whatever it computes: nobody waits for it.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from math import inf
from typing import NamedTuple

from greenroom.lanes import ThreadLane
from greenroom.lanes._trip import Trip

WINDOW = 0.1  # seconds
_WAITED = 0.5  # of what the loop's turns took: from here on others keep it from what it has to do
_LONG = 0.005  # seconds of that in a window: less is chance
_SHARE = 0.5  # of an even share of the time: whoever computes for as long is one of a crowd
_PATIENCE = 1.0  # seconds until one more is let in: twice as many each time that this makes a crowd again,
_MOST_PATIENCE = 30.0  # up to so many, and for so long a crowd is remembered
_SETTLE = 3 * WINDOW  # from one that is let in to the next: long enough to see whether it makes a crowd


class _Window(NamedTuple):
    """When it began; and what the loop's thread had computed by then, and the thread of each trip, in seconds."""

    began: float
    loop: float
    computed: Mapping[Trip, float]


class Crowd:
    """Watches over one lane, from the hub. There is no timer: what counts is how the loop fares when it turns."""

    def __init__(self, lane: ThreadLane) -> None:
        self._lane = lane
        self._window: _Window | None = None
        self._turns = 0.0  # seconds that turns took in it
        self._patience = _PATIENCE
        self._last = -inf  # when there was a crowd
        self._next = -inf  # when one more is let in

    def turned(self, seconds: float) -> list[Trip]:
        """A turn of the loop took so long: who is in the crowd, if there is one."""
        if self._lane.running <= 1:
            self._window = None
            return []
        window, now = self._window, time.perf_counter()
        if window is None:
            self._begin(now)
            return []
        self._turns += seconds
        if now - window.began < WINDOW:
            return []
        crowd = self._look(window, now)
        if crowd:
            self._seen(now)
        self._begin(now)
        return crowd

    def lets_in(self) -> bool:
        """Whether the lane may grow just now; if there was a crowd lately, by one step."""
        now = time.perf_counter()
        if now < self._next:
            return False
        if now < self._last + _MOST_PATIENCE:
            self._next = now + _SETTLE
        return True

    def _begin(self, now: float) -> None:
        self._window, self._turns = _Window(now, time.thread_time(), self._lane.computed()), 0.0

    def _look(self, window: _Window, now: float) -> list[Trip]:
        waited = self._turns - (time.thread_time() - window.loop)
        if waited < max(self._turns * _WAITED, _LONG):
            return []
        after, before = self._lane.computed(), window.computed
        enough = (now - window.began) * _SHARE / max(1, len(after))
        crowd = [trip for trip, seconds in after.items() if seconds - before.get(trip, seconds) >= enough]
        return crowd if len(crowd) > 1 else []

    def _seen(self, now: float) -> None:
        if now >= self._last + _MOST_PATIENCE + self._patience:
            self._patience = _PATIENCE
        elif self._next > self._last + self._patience:  # one was let in since
            self._patience = min(_MOST_PATIENCE, 2 * self._patience)
        self._last, self._next = now, now + self._patience
