"""A calendar: the moments that a cron expression means in a time zone, by the rule of Debian's cron.

cronsim reads the expression and finds the days and minutes on a clock without time zones; what daylight saving makes
of them is decided here. A job at a fixed time runs once: at the end of the gap if its time is skipped, and the first
time of two. Any other, whose minutes or hours begin with a star or that names seconds, goes by the time that really
passes. cronsim applies that rule too, but lets half-hour shifts (Lord Howe) take slots away.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from greenroom.clock import SECOND, as_datetime, as_moment
from greenroom.errors import InvalidOption

_NICKNAMES = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_OF_THE_MACHINE = ("localtime", "posixrules")
_A_SECOND = timedelta(seconds=1)
_STRIDE = 3 * 86_400 * SECOND  # no zone has changed its offset and changed it back in so little time
_CENTURY = 100 * 366 * 86_400 * SECOND
_START = datetime(2000, 1, 1)  # noqa: DTZ001  (on the clock without zones)


class Calendar:
    """All slots of one expression in one zone, as moments. Raises InvalidOption for what can have none."""

    def __init__(self, expression: str, timezone: str) -> None:
        self._zone = _zone(timezone)
        self._fields = _fields(expression)
        *seconds, minute, hour, _, _, _ = self._fields.split()
        self._is_fixed = not (seconds or minute.startswith("*") or hour.startswith("*"))

    def after(self, moment: int) -> Iterator[int]:
        """The slots after that moment, in order, each once."""
        slots = self._fixed(moment) if self._is_fixed else self._passing(moment)
        try:
            yield from slots
        except (OverflowError, ValueError):  # the year 10000
            return

    def last(self, after: int, until: int, most: int, pause: Callable[[], object]) -> list[int]:
        """The last so many slots after the one moment and up to the other, in order; `pause` is called at each."""
        width = SECOND
        while True:  # from the end, in wider and wider windows: what lies far back may be a lot
            start = max(after, until - width)
            slots = []
            for slot in self.after(start):
                if slot > until:
                    break
                slots.append(slot)
                pause()
            if len(slots) >= most or start == after or width > _CENTURY:
                return slots[-most:]
            width *= 4

    def _fixed(self, moment: int) -> Iterator[int]:
        last = moment
        for wall in CronSim(self._fields, self._wall(moment)):
            slot = self._instant(wall)
            if slot > last:  # else the second of two times, or one more that fell into the same gap
                last = slot
                yield slot

    def _passing(self, moment: int) -> Iterator[int]:
        start, wall = moment, self._wall(moment)
        while True:
            offset = self._offset(start)
            for next_wall in CronSim(self._fields, wall):
                slot = as_moment(next_wall.replace(tzinfo=UTC)) - offset
                turn = self._turn(start, slot)
                if turn is not None:
                    start, wall = turn, self._wall(turn) - _A_SECOND
                    break
                yield slot
                start = slot
            else:
                return

    def _instant(self, wall: datetime) -> int:
        """When the clock on the wall shows this for the first time, or for the first time something later."""
        there = wall.replace(tzinfo=self._zone)
        before = as_moment(there)
        if self._wall(before) == wall:
            return before
        turn = self._turn(as_moment(there.replace(fold=1)), before)
        assert turn is not None, "a gap has an end"  # noqa: S101
        return turn

    def _turn(self, after: int, until: int) -> int | None:
        """The first moment, after the one and up to the other, at which another offset from UTC holds."""
        if self._zone.utcoffset(None) is not None:  # it has one offset
            return None
        offset = self._offset(after)
        while after < until:
            end = min(after + _STRIDE, until)
            if self._offset(end) != offset:
                return self._first_of_another(offset, after, end)
            after = end
        return None

    def _first_of_another(self, offset: int, low: int, high: int) -> int:
        low, high = low // SECOND, -(-high // SECOND)
        while high - low > 1:
            middle = (low + high) // 2
            if self._offset(middle * SECOND) == offset:
                low = middle
            else:
                high = middle
        return high * SECOND

    def _offset(self, moment: int) -> int:
        there = as_datetime(moment).astimezone(self._zone)
        return (there.utcoffset() or timedelta()) // timedelta(microseconds=1)

    def _wall(self, moment: int) -> datetime:
        return as_datetime(moment).astimezone(self._zone).replace(tzinfo=None, fold=0)


@lru_cache(maxsize=1000)
def calendar(expression: str, timezone: str) -> Calendar:
    """The calendar of that expression in that zone, made once."""
    return Calendar(expression, timezone)


def _zone(name: str) -> ZoneInfo:
    if name in _OF_THE_MACHINE:
        raise InvalidOption(
            f"timezone={name!r} is not the same on each machine: use a name such as 'Europe/Berlin' or 'UTC'."
        )
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, TypeError, LookupError):  # as of "../x", of a folder, of 3, of an unknown one
        raise InvalidOption(
            f"timezone={name!r} is not known here: use a name such as 'Europe/Berlin' or 'UTC'. If that is one, this "
            "machine has no time zones: pip install tzdata."
        ) from None


def _fields(expression: str) -> str:
    """What cronsim is given: the expression without nicknames and question marks, once it is known to fire."""
    refused = f"cron expression {expression!r}"
    if expression.strip().lower() == "@reboot":
        raise InvalidOption(f"{refused} is no time: declare it with run_on_start=True, beside a schedule.")
    fields = _NICKNAMES.get(expression.strip().lower(), expression).split()
    for day in (-3, -1):  # as other schedulers have it: "no matter which"
        if len(fields) in (5, 6) and fields[day] == "?":
            fields[day] = "*"
    try:
        first = next(CronSim(" ".join(fields), _START), None)
    except CronSimError as error:
        raise InvalidOption(
            f"{refused} cannot be understood: {error}. Use five fields (minute hour day-of-month month day-of-week), "
            "such as '*/15 8-17 * * MON-FRI', or six with seconds first."
        ) from None
    if first is None:
        raise InvalidOption(f"{refused} never fires: no day is all that it asks for. Give it a day that comes.")
    return " ".join(fields)
