"""A clock: the only reader of time.

Inside greenroom a moment is a whole number of microseconds since 1970 in UTC, and so is a span: stores keep
them as they are, and 30,000 jobs a second cannot afford a `datetime` each. People are given aware datetimes.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Protocol

SECOND = 1_000_000

When = datetime | timedelta | float  # an aware moment, or a delay: a timedelta or seconds

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def as_datetime(moment: int) -> datetime:
    """The moment as an aware datetime in UTC."""
    return _EPOCH + timedelta(microseconds=moment)


def as_moment(when: datetime) -> int:
    """The aware datetime as microseconds since 1970."""
    return (when - _EPOCH) // _MICROSECOND


def as_span(length: timedelta | float) -> int:
    """A timedelta, or a number of seconds, as microseconds."""
    return length // _MICROSECOND if isinstance(length, timedelta) else round(length * SECOND)


def moment_of(when: When | None, now: int) -> int | None:
    """The moment that was meant, in microseconds; delays are counted from `now`."""
    if when is None:
        return None
    return as_moment(when) if isinstance(when, datetime) else now + as_span(when)


class Clock(Protocol):
    """Wall time for what is stored, monotonic time for what is measured.

    `passes` says whether its time goes by of itself, so that one can wait for a moment with a timer.
    """

    passes: bool

    def now(self) -> int:
        """Microseconds since 1970, UTC."""

    def monotonic(self) -> float:
        """Seconds from some fixed point, never going back."""

    def watch(self, stepped: Callable[[], object]) -> None:
        """Have `stepped` called when this clock moves other than by time passing."""


class SystemClock:
    """The machine's clock."""

    passes = True
    monotonic = staticmethod(time.monotonic)

    def now(self) -> int:
        return time.time_ns() // 1000

    def watch(self, stepped: Callable[[], object]) -> None:
        """The machine does not tell of its steps; whoever waits looks again every 30 seconds."""


class ManualClock:
    """A clock that stands still until it is told to move: for tests."""

    passes = False

    def __init__(self, start: datetime = datetime(2030, 1, 1, 12, tzinfo=UTC)) -> None:
        self._now = as_moment(start)
        self._monotonic = 0.0
        self._watchers: list[Callable[[], object]] = []

    def now(self) -> int:
        return self._now

    def monotonic(self) -> float:
        return self._monotonic

    def watch(self, stepped: Callable[[], object]) -> None:
        self._watchers.append(stepped)

    def advance(self, length: timedelta | float) -> None:
        """Let time pass: wall and monotonic both."""
        self._monotonic += as_span(length) / SECOND
        self.step(length)

    def step(self, length: timedelta | float) -> None:
        """Set the clock forward or back, as somebody sets the machine's: no time passes."""
        self._now += as_span(length)
        for stepped in self._watchers:
            stepped()
