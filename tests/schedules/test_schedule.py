"""When a periodic task is due, and which schedules are none."""

import json
import time
from datetime import UTC, datetime, timedelta, timezone
from math import inf, nan
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenroom import InvalidOption, cron, every
from greenroom.clock import SECOND, as_datetime
from greenroom.schedule import schedule_of

TABLE = json.loads((Path(__file__).parents[1] / "data/cron_cronsim.json").read_text("utf-8"))["cases"]
MOMENTS = st.integers(10**15, 4 * 10**15).map(as_datetime)
NEW_YEAR = datetime(2030, 1, 1, tzinfo=UTC)
NAIVE = NEW_YEAR.replace(tzinfo=None)


def moment(row, timezone):
    there = datetime.fromisoformat(row["at"]).replace(tzinfo=ZoneInfo(timezone), fold=row.get("fold", 0))
    return there.astimezone(UTC)


def name_of(case):
    start = case["start"]
    return f"{case['expr']} {'before' if case.get('reverse') else 'after'} {start['at']} {start.get('tz', '')}"


@pytest.mark.parametrize("case", [case for case in TABLE if case.get("next")], ids=name_of)
def test_slots_are_those_of_the_table(case):
    timezone = case["start"].get("tz") or "UTC"
    schedule = cron(case["expr"], timezone=timezone)
    found, at = [], moment(case["start"], timezone)
    for _ in case["next"]:
        at = schedule.last_before(at) if case.get("reverse") else schedule.next_after(at)
        found.append(at)
    assert found == [moment(row, timezone) for row in case["next"]]


def test_what_the_table_refuses_is_refused():
    refused = [case["expr"] for case in TABLE if "error" in case or case.get("exhausted")]
    assert len(refused) == 230
    for expression in refused:
        with pytest.raises(InvalidOption, match="cron expression"):
            cron(expression)


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("61 * * * *", r"cron expression '61 \* \* \* \*' cannot be understood: Bad minute. Use five fields"),
        ("* * * *", "cannot be understood: Wrong number of fields. Use five fields"),
        ("", "cannot be understood: Wrong number of fields"),
        ("bogus", "cannot be understood"),
        ("0 0 30 2 *", "cannot be understood: Bad day-of-month"),
        ("1 1 */100 * MON#4", "never fires: no day is all that it asks for. Give it a day that comes"),
        ("@reboot", "is no time: declare it with run_on_start=True"),
        ("@fortnightly", "cannot be understood"),
        ("? * * * *", "cannot be understood: Bad minute"),
        ("0" * 5000 + " * * * *", r"'0{50}'... is too long: use 1000 characters at most, as in '0 3 \* \* \*' \("),
        (None, r"cron expression None is not one: use a str such as '0 3 \* \* \*' \(minute hour"),
        (3, "cron expression 3 is not one"),
        (["0 3 * * *"], "is not one"),
    ],
)
def test_an_expression_that_means_nothing_is_refused(expression, reason):
    with pytest.raises(InvalidOption, match=reason):
        cron(expression)


@pytest.mark.parametrize(
    "timezone",
    ["Mars/Olympus", "europe/nowhere", "", "../etc/passwd", "/etc", "Europe", "localtime", "posixrules", None, 3],
)
def test_a_zone_that_is_none_is_refused(timezone):
    with pytest.raises(InvalidOption, match=r"timezone.* is not .*: use a .* such as 'Europe/Berlin' or 'UTC'"):
        cron("0 3 * * *", timezone=timezone)


@pytest.mark.parametrize(
    ("nickname", "expression"),
    [
        ("@hourly", "0 * * * *"),
        ("@Daily", "0 0 * * *"),
        ("@midnight", "0 0 * * *"),
        ("@weekly", "0 0 * * 0"),
        ("@monthly", "0 0 1 * *"),
        ("@yearly", "0 0 1 1 *"),
        ("@annually", "0 0 1 1 *"),
        ("0 0 1 * ?", "0 0 1 * *"),
        ("0 0 ? * MON", "0 0 * * 1"),
        ("5  4\t* * *\n", "5 4 * * *"),
    ],
)
def test_other_ways_to_say_it_mean_the_same(nickname, expression):
    assert cron(nickname).between(NEW_YEAR, NEW_YEAR.replace(year=2032)) == cron(expression).between(
        NEW_YEAR, NEW_YEAR.replace(year=2032)
    )


@pytest.mark.parametrize(
    ("expression", "after", "slot"),
    [
        ("0 12 29 2 *", "2096-02-29T12:00", "2104-02-29T12:00"),  # 2100 is no leap year
        ("0 0 31 * *", "2030-01-31T00:00", "2030-03-31T00:00"),
        ("0 0 29 2 MON", "2027-12-31T00:00", "2028-02-07T00:00"),  # either: neither day begins with a star
        ("14 3 19 1 *", "2037-12-31T00:00", "2038-01-19T03:14"),
        ("15 3 19 1 *", "2038-01-19T03:14", "2038-01-19T03:15"),
        ("0 0 L 2 *", "2031-03-01T00:00", "2032-02-29T00:00"),
        ("* * 29 2 *", "2096-02-29T23:59", "2104-02-29T00:00"),
    ],
)
@pytest.mark.parametrize("timezone", ["UTC", "Asia/Kolkata"])
def test_rare_days_come_when_the_calendar_has_them(expression, after, slot, timezone):
    zone = ZoneInfo(timezone)
    after, slot = (datetime.fromisoformat(text).replace(tzinfo=zone) for text in (after, slot))
    assert cron(expression, timezone=timezone).next_after(after) == slot


def test_the_last_day_of_the_calendar_is_the_end():
    schedule = cron("0 0 1 1 *")
    assert schedule.next_after(datetime(9999, 1, 1, tzinfo=UTC)) is None
    assert cron("* * * * *", timezone="Asia/Tokyo").next_after(datetime(9999, 12, 31, 23, 59, tzinfo=UTC)) is None
    assert every(hours=1).next_after(datetime(9999, 1, 1, tzinfo=UTC)) is None


@pytest.mark.parametrize("tz", ["UTC", "America/New_York", "Australia/Lord_Howe"])
def test_the_zone_of_the_machine_changes_nothing(tz, monkeypatch):
    monkeypatch.setenv("TZ", tz)
    time.tzset()
    try:
        slot = cron("0 3 * * *", timezone="Europe/Berlin").next_after(NEW_YEAR)
        assert (slot, slot.tzinfo) == (datetime(2030, 1, 1, 2, tzinfo=UTC), UTC)
        assert cron("0 3 * * *").next_after(NEW_YEAR) == datetime(2030, 1, 1, 3, tzinfo=UTC)
        assert every(hours=6).next_after(NEW_YEAR) == datetime(2030, 1, 1, 6, tzinfo=UTC)
    finally:
        monkeypatch.undo()
        time.tzset()


def test_a_zone_may_be_given_as_what_zoneinfo_makes():
    assert cron("0 3 * * *", timezone=ZoneInfo("Europe/Berlin")) == cron("0 3 * * *", timezone="Europe/Berlin")
    assert cron("0 3 * * *", timezone=UTC) == cron("0 3 * * *")


def test_an_expression_may_name_every_minute_and_hour():
    minutes, hours = (",".join(map(str, range(number))) for number in (60, 24))
    assert cron(f"{minutes} {hours} * * *").next_after(NEW_YEAR) == NEW_YEAR + timedelta(minutes=1)


@pytest.mark.parametrize("schedule", [every(hours=1), cron("0 * * * *", timezone="Asia/Tokyo")])
def test_there_is_an_answer_at_both_ends_of_the_calendar(schedule):
    east, west = timezone(timedelta(hours=14)), timezone(timedelta(hours=-12))
    assert schedule.next_after(datetime.min.replace(tzinfo=east)).year == 2
    assert schedule.last_before(datetime.max.replace(tzinfo=west)).year == 9998
    assert schedule.between(datetime.max.replace(tzinfo=west), datetime.max.replace(tzinfo=west)) == []


def test_every_is_counted_from_the_epoch():
    five = every(minutes=5).between(NEW_YEAR + timedelta(seconds=1), NEW_YEAR + timedelta(minutes=10))
    assert five == [NEW_YEAR + timedelta(minutes=5), NEW_YEAR + timedelta(minutes=10)]
    assert every(timedelta(hours=1, minutes=30)) == every(hours=1, minutes=30) == every(minutes=90)


def test_every_is_counted_from_its_anchor():
    schedule = every(days=2, anchor=datetime(2030, 1, 4, 9, tzinfo=ZoneInfo("Europe/Berlin")))
    assert schedule.next_after(NEW_YEAR) == datetime(2030, 1, 2, 8, tzinfo=UTC)
    assert schedule.last_before(NEW_YEAR) == datetime(2029, 12, 31, 8, tzinfo=UTC)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (every, "every 0:00:00 is out of range: use 0.1 seconds or more"),
        (lambda: every(minutes=0), "is out of range"),
        (lambda: every(timedelta()), "is out of range"),
        (lambda: every(minutes=-5), "is out of range"),
        (lambda: every(seconds=0.01), "is out of range"),
        (lambda: every(days=365 * 200), "is out of range"),
        (lambda: every(days=inf), r"every\(days=inf\) is out of range"),
        (lambda: every(days=nan), r"every\(days=nan\) is out of range"),
        (lambda: every(minutes="5"), r"every\(minutes='5'\) is no length of time: use a number"),
        (lambda: every(hours=1, minutes=False), r"every\(minutes=False\) is no length of time"),
        (lambda: every(minutes=True), r"every\(minutes=True\) is no length of time"),
        (lambda: every(5), r"every\(5\) is no length of time: use one timedelta, or units"),
        (lambda: every(timedelta(hours=1), minutes=5), "is no length of time: use one timedelta, or units"),
        (lambda: every(hours=1, anchor=NAIVE), "anchor=.* is not an aware datetime"),
        (lambda: every(hours=1, anchor="noon"), "anchor='noon' is not an aware datetime"),
        (lambda: every(hours=1).next_after(NAIVE), "when=.* is not an aware datetime"),
    ],
)
def test_a_period_that_is_none_is_refused(make, reason):
    with pytest.raises(InvalidOption, match=reason):
        make()


EXPRESSIONS = st.sampled_from(
    ["*/7 * * * *", "30 2 * * *", "0 0 29 2 *", "*/20 * * * * *", "0 9 * * MON#1", "5 */9 L * *"]
)
ZONES = st.sampled_from(["UTC", "Europe/Berlin", "Australia/Lord_Howe", "Pacific/Apia", "Africa/Casablanca"])
SCHEDULES = st.one_of(
    st.builds(lambda expression, zone: cron(expression, timezone=zone), EXPRESSIONS, ZONES),
    st.builds(every, seconds=st.integers(1, 10**7), anchor=MOMENTS),
)


@given(SCHEDULES, MOMENTS)
def test_there_is_no_slot_between_one_and_the_next(schedule, start):
    slot = schedule.next_after(start)
    assert slot > start
    assert schedule.last_before(slot + timedelta(microseconds=1)) == slot
    before = schedule.last_before(slot)
    assert before is None or before <= start
    assert schedule.between(start, slot) == [slot]
    assert schedule.next_after(slot - timedelta(microseconds=1)) == slot


@given(SCHEDULES, MOMENTS, st.integers(1, 20))
def test_the_last_ones_are_the_end_of_all(schedule, start, most):
    end = datetime(
        2121, 1, 1, tzinfo=UTC
    )  # beyond it there is a 29th of February after every start, 2100 having none
    slots = [round(slot.timestamp() * SECOND) for slot in schedule.between(start, end, limit=30)]
    assert schedule.last(slots[0], slots[-1], most) == slots[1:][-most:]


@given(SCHEDULES)
def test_a_schedule_comes_back_from_its_text(schedule):
    assert schedule_of(schedule.text()) == schedule


def test_a_schedule_says_what_it_is():
    assert str(cron("0 3 * * *", timezone="Europe/Berlin")) == "cron 0 3 * * * (Europe/Berlin)"
    assert str(every(minutes=5)) == "every 0:05:00"
    assert str(every(hours=1, anchor=NEW_YEAR)) == "every 1:00:00 from 2030-01-01T00:00:00+00:00"
