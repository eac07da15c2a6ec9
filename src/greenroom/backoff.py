"""A backoff: how long to wait before the next attempt."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from greenroom.errors import InvalidOption

_DAY = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """`first` seconds after attempt 1, then grown by `step` (added) and `factor` (multiplied), up to `cap`.

    With `jitter` 0.1 the wait is drawn evenly from 90 % to 110 % of that, so that jobs which failed together
    do not come back together.
    """

    first: float
    step: float = 0.0
    factor: float = 1.0
    cap: float = _DAY
    jitter: float = 0.0

    def __post_init__(self) -> None:
        for name, least, most in (
            ("first", 0, _DAY * 365),
            ("step", 0, _DAY * 365),
            ("factor", 1, 100),
            ("cap", 0, _DAY * 365),
            ("jitter", 0, 1),
        ):
            value = getattr(self, name)
            is_number = isinstance(value, int | float) and not isinstance(value, bool)
            if not is_number or not least <= value <= most:  # also catches NaN
                message = f"backoff {name}={value!r} is out of range: use a number from {least} to {most:.0f}."
                raise InvalidOption(message)

    def wait(self, attempt: int, draw: Callable[[], float] = random.random) -> float:
        """Seconds to wait after the `attempt`-th attempt (from 1); `draw` gives a number in [0, 1)."""
        try:
            grown = self.first * self.factor ** (attempt - 1) + self.step * (attempt - 1)
        except OverflowError:
            grown = self.cap if self.first else self.step * (attempt - 1)
        return min(grown, self.cap) * (1 + self.jitter * (2 * draw() - 1))


def constant(wait: timedelta | float, *, jitter: float = 0.0) -> Backoff:
    """Wait the same time (timedelta or seconds) before every attempt."""
    return Backoff(first=_seconds(wait), cap=_seconds(wait), jitter=jitter)


def linear(step: timedelta | float, *, cap: timedelta | float = _DAY, jitter: float = 0.0) -> Backoff:
    """Wait `step`, then twice, three times, four times as long."""
    return Backoff(first=_seconds(step), step=_seconds(step), cap=_seconds(cap), jitter=jitter)


def exponential(
    first: timedelta | float = 1.0,
    *,
    factor: float = 2.0,
    cap: timedelta | float = 3600.0,
    jitter: float = 0.1,
) -> Backoff:
    """Wait `first`, then `factor` times as long after each further attempt."""
    return Backoff(first=_seconds(first), factor=factor, cap=_seconds(cap), jitter=jitter)


def _seconds(length: timedelta | float) -> float:
    return length.total_seconds() if isinstance(length, timedelta) else length
