"""Debian's cron, as its daemon does it: minute after minute, looking at the clock on the wall. It is what slots are
compared with, and shares no code with them.

Jobs whose minutes or hours begin with a star run when the clock shows their time. The others run at each minute that
the clock passes, also those that it jumps over, but not at those that it shows a second time.
"""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

MINUTE = timedelta(minutes=1)
RANGES = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))


def slots(expression, timezone, start, end):
    """The minutes after `start` and up to `end` at which the daemon runs the job, in UTC."""
    zone, fields = ZoneInfo(timezone), expression.split()
    is_wild = fields[0].startswith("*") or fields[1].startswith("*")
    by_star = fields[2].startswith("*") or fields[4].startswith("*")
    values = [_values(field, *ends) for field, ends in zip(fields, RANGES, strict=True)]
    minute = start.astimezone(UTC).replace(second=0, microsecond=0)
    seen = _wall(minute, zone)  # the latest minute that the clock has shown
    found = []
    while (minute := minute + MINUTE) <= end:
        wall = _wall(minute, zone)
        if is_wild:
            is_due = _matches(values, wall, by_star)
        else:
            passed = range(1, (wall - seen) // MINUTE + 1)
            is_due = any(_matches(values, seen + number * MINUTE, by_star) for number in passed)
        seen = max(seen, wall)
        if is_due:
            found.append(minute)
    return found


def _wall(minute, zone):
    return minute.astimezone(zone).replace(tzinfo=None)


def _matches(values, wall, by_star):
    minutes, hours, days, months, weekdays = values
    if wall.minute not in minutes or wall.hour not in hours or wall.month not in months:
        return False
    is_day, is_weekday = wall.day in days, wall.isoweekday() % 7 in {day % 7 for day in weekdays}
    return is_day and is_weekday if by_star else is_day or is_weekday


def _values(field, least, most):
    values = set()
    for part in field.split(","):
        span, _, step = part.partition("/")
        first, _, last = span.partition("-")
        low = least if span == "*" else int(first)
        high = int(last) if last else most if span == "*" or step else low
        values.update(range(low, high + 1, int(step or 1)))
    return values


def day(text, timezone):
    """Midnight on the wall there, that day; and the one after."""
    midnight = datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(timezone))
    return midnight.astimezone(UTC), (midnight + timedelta(days=1)).astimezone(UTC)
