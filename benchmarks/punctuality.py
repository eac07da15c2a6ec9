"""Punctuality: moments at which something is to start, and how late it then did."""

from __future__ import annotations

from random import Random
from time import time

from benchmarks.load import Tally, quantile
from benchmarks.side import Figures, Plan

JOBS = 600
LEAD = 1.0  # seconds before the first one: nobody is to be late only because he is still scheduling


class Punctuality:
    """Hands out due moments (epoch seconds); is told of each start."""

    def __init__(self, plan: Plan) -> None:
        count = max(20, plan.of(JOBS))
        span = max(1.0, 6.0 * plan.scale)
        begin = time() + LEAD
        chance = Random(7)
        self.dues = [begin + chance.uniform(0, span) for _ in range(count)]
        self._late: list[float] = []
        self._tally = Tally()
        self._tally.expect(count)

    def started(self, due: float) -> None:
        self._late.append(time() - due)
        self._tally.add()

    def figures(self) -> Figures:
        """Wait for the last to start."""
        self._tally.wait(30)
        return {"p50": quantile(self._late, 0.5), "p99": quantile(self._late, 0.99), "max": max(self._late)}
