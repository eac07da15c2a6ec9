"""Admission: requests come first. When the loop is late, lanes shrink; when it is on time, they grow back.

Additive increase and multiplicative decrease (Chiu and Jain, 1989), a step a window of time. There is no timer
while the lanes are whole: a loop that rests is not woken.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from math import inf

from gevent import get_hub

from greenroom._crowd import Crowd
from greenroom.lanes import Lane, ThreadLane
from greenroom.lanes._trip import Trip

log = logging.getLogger("greenroom")

LATE = 0.02  # seconds: a turn that holds the loop for longer makes requests late
WINDOW = 0.1  # seconds
_SHRINK = 0.7
_GROW = 20  # windows from nothing to the full size
_TELL_EVERY = 1.0  # seconds at least between two lines in the log,
_NAME_EVERY = 60.0  # and between two that name a crowd: it is one for as long as its tasks compute


class Admission:
    """Sets the limits of the lanes by how long each turn of the loop took."""

    def __init__(self, lanes: Iterable[Lane]) -> None:
        self._lanes = list(lanes)
        self._crowds: dict[Lane, Crowd] = {lane: Crowd(lane) for lane in self._lanes if isinstance(lane, ThreadLane)}
        self._window_began = time.perf_counter()
        self._was_late = False
        self._is_full = all(lane.limit >= lane.size for lane in self._lanes)
        # Has a loop turn that would wait: what waits for a slot must not, until something else comes along.
        self._nudge = get_hub().loop.timer(WINDOW, WINDOW, ref=False)
        self._told_at: dict[str, float] = {}  # when each line was written last
        if not self._is_full:
            self._nudge.start(_turn)

    def close(self) -> None:
        """Leave the limits as they are."""
        self._nudge.stop()
        self._nudge.close()

    def turned(self, seconds: float) -> None:
        """A turn of the loop took so long."""
        self._was_late = self._was_late or seconds > LATE
        for lane, crowd in self._crowds.items():
            if trips := crowd.turned(seconds):
                self._disperse(lane, trips)
        if self._is_full and not self._was_late:
            return
        now = time.perf_counter()
        windows = int((now - self._window_began) / WINDOW)
        if windows < 1:
            return
        self._window_began = now
        if self._was_late:
            self._shrink()
        else:
            self._grow(windows)
        self._was_late = False

    def _shrink(self) -> None:
        before = [lane.limit for lane in self._lanes]
        for lane in self._lanes:
            if lane.running:
                lane.resize(max(1, int(min(lane.limit, lane.running) * _SHRINK)))
        if [lane.limit for lane in self._lanes] != before:
            self._has_shrunk()
            self._tell(_TELL_EVERY, "the event loop is late: lanes shrink to %s", self._limits())

    def _disperse(self, lane: Lane, crowd: list[Trip]) -> None:
        """Let no more things begin in this lane than would run with one of a crowd."""
        limit = max(1, lane.running - len(crowd) + 1)
        if limit < lane.limit:
            lane.resize(limit)
            self._has_shrunk()
        self._tell(  # also where a late loop has had the lane shrink already
            _NAME_EVERY,
            "%s threads compute at once, and keep the event loop waiting for the interpreter: lanes shrink to %s. "
            'What computes in Python needs no thread, but lane="greenlet", or "process": %s',
            *(len(crowd), self._limits(), ", ".join(sorted({trip.errand.task.name for trip in crowd}))),
        )

    def _has_shrunk(self) -> None:
        self._is_full = False
        self._nudge.start(_turn)

    def _limits(self) -> str:
        return ", ".join(f"{lane.name}={lane.limit}" for lane in self._lanes)

    def _grow(self, windows: int) -> None:
        for lane in self._lanes:
            crowd = self._crowds.get(lane)
            if lane.limit < lane.size and (crowd is None or crowd.lets_in()):
                lane.resize(min(lane.size, lane.limit + windows * max(1, lane.size // _GROW)))
        self._is_full = all(lane.limit >= lane.size for lane in self._lanes)
        if self._is_full:
            self._nudge.stop()
            log.info("the event loop is on time: lanes are whole again")

    def _tell(self, every: float, text: str, *facts: object) -> None:
        now = time.perf_counter()
        if now - self._told_at.get(text, -inf) >= every:
            self._told_at[text] = now
            log.info(text, *facts)


def _turn() -> None:
    """Nothing, but the loop has turned for it."""
