"""Slots on the days on which clocks are set, against Debian's cron walked minute by minute."""

from datetime import UTC, datetime, timedelta

import debian
import pytest
from zones import DAYS, EXPRESSIONS

from greenroom import cron


@pytest.mark.slow
@pytest.mark.parametrize("timezone", DAYS)
def test_slots_are_those_of_debians_cron(timezone):
    for day in DAYS[timezone]:
        start, end = debian.day(day, timezone)
        for expression in EXPRESSIONS:
            expected = debian.slots(expression, timezone, start, end)
            schedule = cron(expression, timezone=timezone)
            assert schedule.between(start, end, limit=2000) == expected, (day, expression)
            back = [schedule.last_before(end + timedelta(seconds=1))]
            while back[-1] > start:
                back.append(schedule.last_before(back[-1]))
            assert back[-2::-1] == expected, (day, expression)


@pytest.mark.slow
@pytest.mark.parametrize("timezone", ["Australia/Lord_Howe", "Africa/Casablanca"])
def test_so_they_are_all_year(timezone):
    start, end = datetime(2027, 1, 1, tzinfo=UTC), datetime(2028, 1, 1, tzinfo=UTC)
    for expression in ("30 2 * * *", "*/10 1-2 */5 * *"):
        expected = debian.slots(expression, timezone, start, end)
        assert cron(expression, timezone=timezone).between(start, end, limit=9999) == expected
