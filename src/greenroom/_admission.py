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

from greenroom.lanes import Lane

log = logging.getLogger("greenroom")

LATE = 0.02  # seconds: a turn that holds the loop for longer makes requests late
WINDOW = 0.1  # seconds
_SHRINK = 0.7
_GROW = 20  # windows from nothing to the full size
_TELL_EVERY = 1.0  # seconds at least between two lines in the log


class Admission:
    """Sets the limits of the lanes by how long each turn of the loop took."""

    def __init__(self, lanes: Iterable[Lane]) -> None:
        self._lanes = list(lanes)
        self._window_began = time.perf_counter()
        self._was_late = False
        self._is_full = all(lane.limit >= lane.size for lane in self._lanes)
        # Has a loop turn that would wait: what waits for a slot must not, until something else comes along.
        self._nudge = get_hub().loop.timer(WINDOW, WINDOW, ref=False)
        self._told_at = -inf
        if not self._is_full:
            self._nudge.start(_turn)

    def close(self) -> None:
        """Leave the limits as they are."""
        self._nudge.stop()
        self._nudge.close()

    def turned(self, seconds: float) -> None:
        """A turn of the loop took so long."""
        self._was_late = self._was_late or seconds > LATE
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
            self._is_full = False
            self._nudge.start(_turn)
            self._tell()

    def _grow(self, windows: int) -> None:
        for lane in self._lanes:
            if lane.limit < lane.size:
                lane.resize(min(lane.size, lane.limit + windows * max(1, lane.size // _GROW)))
        self._is_full = all(lane.limit >= lane.size for lane in self._lanes)
        if self._is_full:
            self._nudge.stop()
            log.info("the event loop is on time: lanes are whole again")

    def _tell(self) -> None:
        now = time.perf_counter()
        if now - self._told_at >= _TELL_EVERY:
            self._told_at = now
            limits = ", ".join(f"{lane.name}={lane.limit}" for lane in self._lanes)
            log.info("the event loop is late: lanes shrink to %s", limits)


def _turn() -> None:
    """Nothing, but the loop has turned for it."""
