"""A schedule: when a periodic task is due. Frozen and pure: it knows no clock, and is asked about moments.

    cron("0 3 * * *", timezone="Europe/Berlin")      every(minutes=5)

One due time is a *slot*. Every process finds the same ones, whatever its own time zone is.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import TYPE_CHECKING, Any

from greenroom.clock import as_datetime, as_moment, as_span
from greenroom.errors import InvalidOption

if TYPE_CHECKING:
    from greenroom._calendar import Calendar

SHORTEST = timedelta(milliseconds=100)  # each slot is a transaction, and is synced to the disk
LONGEST = timedelta(days=365 * 100)
MOST = 1000  # characters of an expression: enough for all that means something


Pause = Callable[[], object]


def nothing() -> None:
    """Nobody waits."""


class Schedule:
    """What `cron(...)` and `every(...)` give back. Moments are microseconds inside, and aware datetimes to people."""

    __slots__ = ()

    def next_after(self, when: datetime) -> datetime | None:
        """The first slot after then, in UTC; None if there is none before the year 10000."""
        slot = self.following(_aware("when", when))
        return None if slot is None else as_datetime(slot)

    def last_before(self, when: datetime) -> datetime | None:
        """The last slot before then, in UTC; None if there was none in a century."""
        slots = self.last(_EARLIEST, min(_aware("when", when), _LATEST) - 1, 1)
        return as_datetime(slots[0]) if slots else None

    def between(self, after: datetime, until: datetime, *, limit: int = 1000) -> list[datetime]:
        """The slots after the one moment and up to the other, the first so many of them."""
        slot, end = self.following(_aware("after", after)), _aware("until", until)
        slots: list[datetime] = []
        while slot is not None and slot <= end and len(slots) < limit:
            slots.append(as_datetime(slot))
            slot = self.following(slot)
        return slots

    def following(self, moment: int) -> int | None:
        """The first slot after that moment."""
        raise NotImplementedError

    def last(self, after: int, until: int, most: int, pause: Pause = nothing) -> list[int]:
        """The last so many slots after the one moment and up to the other, in order.

        To find many takes a while, and `pause` is called all the time.
        """
        raise NotImplementedError

    def text(self) -> str:
        """What `schedule_of` makes it of again, to be stored."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Cron(Schedule):
    """Made by `cron(...)`."""

    expression: str
    timezone: str = "UTC"

    def __post_init__(self) -> None:
        _check_text("cron expression", self.expression, "'0 3 * * *' (minute hour day-of-month month day-of-week)")
        _check_text("timezone", self.timezone, "'Europe/Berlin' or 'UTC'")
        self._calendar()

    def following(self, moment: int) -> int | None:
        return next(self._calendar().after(moment), None)

    def last(self, after: int, until: int, most: int, pause: Pause = nothing) -> list[int]:
        return self._calendar().last(after, until, most, pause)

    def text(self) -> str:
        return json.dumps(["cron", self.expression, self.timezone])

    def __str__(self) -> str:
        return f"cron {self.expression} ({self.timezone})"

    def _calendar(self) -> Calendar:
        # Not before there is a cron expression: cronsim and zoneinfo are loaded by those who use them.
        from greenroom._calendar import calendar

        return calendar(self.expression, self.timezone)


@dataclass(frozen=True, slots=True)
class Every(Schedule):
    """Made by `every(...)`; `period` and `anchor` in microseconds."""

    period: int
    anchor: int = 0

    def following(self, moment: int) -> int | None:
        slot = self.anchor + ((moment - self.anchor) // self.period + 1) * self.period
        return slot if slot < _LATEST else None

    def last(self, after: int, until: int, most: int, pause: Pause = nothing) -> list[int]:
        end = until - (until - self.anchor) % self.period
        start = max(after, end - most * self.period)
        return list(range(end, start, -self.period))[::-1]

    def text(self) -> str:
        return json.dumps(["every", self.period, self.anchor])

    def __str__(self) -> str:
        start = f" from {as_datetime(self.anchor).isoformat()}" if self.anchor else ""
        return f"every {timedelta(microseconds=self.period)}{start}"


@dataclass(frozen=True, slots=True)
class Unreadable(Schedule):
    """One that was stored where more is known, such as a time zone that is not installed here. It has no slots."""

    stored: str
    reason: str

    def following(self, moment: int) -> int | None:
        return None

    def last(self, after: int, until: int, most: int, pause: Pause = nothing) -> list[int]:
        return []

    def text(self) -> str:
        return self.stored

    def __str__(self) -> str:
        return " ".join(map(str, json.loads(self.stored)))


def cron(expression: str, *, timezone: str | tzinfo = "UTC") -> Schedule:
    """Due when the clock on the wall of that time zone shows one of these times, as Debian's cron has it.

    Five fields (minute hour day-of-month month day-of-week), or six with seconds first; `@daily` and its like. Raises
    InvalidOption for an expression that cannot be understood, or never fires, and for a zone that is not known.
    """
    zone: Any = "UTC" if timezone is UTC else timezone
    return Cron(expression, getattr(zone, "key", zone))


def every(
    period: timedelta | None = None,
    /,
    *,
    weeks: float = 0,
    days: float = 0,
    hours: float = 0,
    minutes: float = 0,
    seconds: float = 0,
    anchor: datetime | None = None,
) -> Schedule:
    """Due each time so much time has gone by since `anchor`, an aware datetime.

    Without one it is counted from 1970 in UTC: `every(minutes=5)` is due at :00, :05, :10, in every process.
    """
    units = {"weeks": weeks, "days": days, "hours": hours, "minutes": minutes, "seconds": seconds}
    length = _length(period, {unit: number for unit, number in units.items() if number != 0 or number is False})
    if not SHORTEST <= length < LONGEST:
        raise InvalidOption(
            f"every {length} is out of range: use {SHORTEST.total_seconds()} seconds or more, less than 100 years."
        )
    return Every(as_span(length), 0 if anchor is None else _aware("anchor", anchor))


def schedule_of(text: str) -> Schedule:
    """The schedule that gave this as its `text()`."""
    kind, *values = json.loads(text)
    try:
        return Cron(*values) if kind == "cron" else Every(*values)
    except InvalidOption as error:
        return Unreadable(text, str(error))


def _length(period: object, units: dict[str, Any]) -> timedelta:
    if period is not None and (units or not isinstance(period, timedelta)):
        raise InvalidOption(
            f"every({period!r}{', ...' if units else ''}) is no length of time: use one timedelta, or units: "
            "every(hours=1, minutes=30)."
        )
    if isinstance(period, timedelta):
        return period
    for unit, number in units.items():
        if isinstance(number, bool) or not isinstance(number, int | float):
            raise InvalidOption(
                f"every({unit}={number!r}) is no length of time: use a number, as in every(minutes=5)."
            )
    try:
        return timedelta(**units)
    except (OverflowError, ValueError):
        given = ", ".join(f"{unit}={number!r}" for unit, number in units.items())
        raise InvalidOption(f"every({given}) is out of range: use less than 100 years.") from None


def _check_text(kind: str, value: object, example: str) -> None:
    if not isinstance(value, str):
        raise InvalidOption(f"{kind} {value!r} is not one: use a str such as {example}.")
    if len(value) > MOST:
        raise InvalidOption(f"{kind} {value[:50]!r}... is too long: use {MOST} characters at most, as in {example}.")


def _aware(kind: str, when: object) -> int:
    if not isinstance(when, datetime) or when.utcoffset() is None:
        raise InvalidOption(
            f"{kind}={when!r} is not an aware datetime, and means another moment in each time zone. Give it one: "
            "datetime(2030, 1, 1, tzinfo=UTC)."
        )
    return max(as_moment(when), _FIRST)


_FIRST = as_moment(as_datetime(0).replace(year=2))  # those of which each zone can say what its clocks show
_EARLIEST = as_moment(as_datetime(0).replace(year=1900))
_LATEST = as_moment(as_datetime(0).replace(year=9999))
