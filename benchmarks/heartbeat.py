"""A heartbeat: a timer on the hub that measures how late it was called."""

from __future__ import annotations

from time import perf_counter
from typing import Self

import gevent

from benchmarks.load import quantile

PERIOD = 0.001


class Heartbeat:
    """`with Heartbeat() as beat:`; then `beat.figures`. Nothing is subtracted from what it saw."""

    def __init__(self) -> None:
        self._late: list[float] = []
        self._timer = gevent.get_hub().loop.timer(PERIOD, PERIOD)
        self._due = 0.0

    def __enter__(self) -> Self:
        self._arm()
        return self

    def __exit__(self, *_: object) -> None:
        self._beat()  # the hub may have been held until now: that too was lateness
        self._timer.stop()
        self._timer.close()

    @property
    def figures(self) -> dict[str, float]:
        return {"late_max": max(self._late), "late_p99": quantile(self._late, 0.99)}

    def _beat(self) -> None:
        self._late.append(max(0.0, perf_counter() - self._due))
        self._arm()

    def _arm(self) -> None:
        self._due = perf_counter() + PERIOD
        # again, not start: libev counts a timer that is stopped in its own callback as having no time left.
        self._timer.again(self._beat, update=True)
