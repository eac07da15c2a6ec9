"""Pairs: two things measured in turn within one process, for two processes may differ by more than they do."""

from __future__ import annotations

from collections.abc import Callable
from statistics import median

Measured = Callable[[int], float]  # given which time it is, how much was done in a second


def in_turn(count: int, ours: Measured, against: Measured) -> tuple[float, float]:
    """The rates of both: `against`'s median, and what the median of the pairs' ratios makes of it."""
    pairs: list[tuple[float, float]] = []
    for number in range(count):
        # Whoever comes second finds a warmer process: each does so as often as the other.
        if number % 2:
            first = ours(number)
            pairs.append((first, against(number)))
        else:
            second = against(number)
            pairs.append((ours(number), second))
    base = median(rate for _, rate in pairs)
    return base * median(rate / other for rate, other in pairs), base
