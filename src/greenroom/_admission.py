"""Admission: requests come first. When the loop is late, lanes shrink; when it is on time, they grow back.

Additive increase and multiplicative decrease (Chiu and Jain, 1989), a step a window of time. There is no timer: the
steps that an idle loop has missed are made up for when it turns again.
"""

from __future__ import annotations

import time
from collections.abc import Iterable

from greenroom.lanes import Lane

LATE = 0.02  # seconds: a turn that holds the loop for longer makes requests late
WINDOW = 0.1  # seconds
_SHRINK = 0.7
_GROW = 20  # windows from nothing to the full size


class Admission:
    """Sets the limits of the lanes by how long each turn of the loop took."""

    def __init__(self, lanes: Iterable[Lane]) -> None:
        self._lanes = list(lanes)
        self._window_began = time.perf_counter()
        self._was_late = False
        self._is_full = True  # whether every lane has its full size

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
        for lane in self._lanes:
            if lane.running:
                lane.resize(max(1, int(min(lane.limit, lane.running) * _SHRINK)))
                self._is_full = False

    def _grow(self, windows: int) -> None:
        for lane in self._lanes:
            if lane.limit < lane.size:
                lane.resize(min(lane.size, lane.limit + windows * max(1, lane.size // _GROW)))
        self._is_full = all(lane.limit >= lane.size for lane in self._lanes)
