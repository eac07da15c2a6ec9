"""Inside, a moment is microseconds since 1970 in UTC; people give and get datetimes."""

import time
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenroom.clock import SECOND, ManualClock, SystemClock, as_datetime, as_moment, as_span, moment_of

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
MOMENTS = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=st.timezones())  # noqa: DTZ001


@given(MOMENTS)
def test_a_datetime_comes_back_as_the_same_moment_in_utc(when):
    back = as_datetime(as_moment(when))
    assert back == when.astimezone(UTC)
    assert back.tzinfo is UTC


@given(st.integers(0, 1 << 53))
def test_a_moment_comes_back_to_the_microsecond(moment):
    assert as_moment(as_datetime(moment)) == moment


def test_1970_is_moment_zero():
    assert as_moment(datetime(1970, 1, 1, tzinfo=UTC)) == 0


def test_a_moment_is_the_same_whatever_the_time_zone():
    assert as_moment(NOON) == as_moment(NOON.astimezone(ZoneInfo("Asia/Kathmandu")))


@pytest.mark.parametrize(
    ("length", "span"),
    [
        (timedelta(microseconds=1), 1),
        (timedelta(days=1), 86_400 * SECOND),
        (timedelta(seconds=-2), -2 * SECOND),
        (2, 2 * SECOND),
        (0.5, SECOND // 2),
        (0.000001, 1),
        (0, 0),
    ],
)
def test_a_length_is_a_timedelta_or_seconds(length, span):
    assert as_span(length) == span


@given(st.timedeltas(timedelta(days=-36_500), timedelta(days=36_500)))
def test_a_timedelta_keeps_every_microsecond(length):
    assert timedelta(microseconds=as_span(length)) == length


@pytest.mark.parametrize(
    ("when", "moment"),
    [
        (None, None),
        (NOON, as_moment(NOON)),
        (timedelta(minutes=5), 7 + 300 * SECOND),
        (1.5, 7 + 3 * SECOND // 2),
        (0, 7),
    ],
)
def test_delays_count_from_now_and_moments_do_not(when, moment):
    assert moment_of(when, now=7) == moment


def test_the_system_clock_tells_the_time():
    before = time.time()
    now = SystemClock().now()
    assert isinstance(now, int)
    assert before * SECOND - 1 <= now <= time.time() * SECOND + 1


def test_the_system_clock_measures_with_what_never_goes_back():
    before = time.monotonic()
    assert before <= SystemClock().monotonic() <= time.monotonic()


def test_a_manual_clock_stands_still():
    clock = ManualClock(NOON)
    assert [as_datetime(clock.now()) for _ in range(3)] == [NOON] * 3
    assert clock.monotonic() == clock.monotonic()


@given(st.lists(st.timedeltas(timedelta(days=-1), timedelta(days=1)), max_size=5))
def test_a_manual_clock_moves_as_it_is_told_on_both_hands(steps):
    clock = ManualClock(NOON)
    began = clock.monotonic()
    for step in steps:
        clock.advance(step)
    assert as_datetime(clock.now()) == NOON + sum(steps, timedelta())
    assert clock.monotonic() - began == pytest.approx(sum(steps, timedelta()).total_seconds(), abs=1e-6)


def test_those_who_watch_a_manual_clock_are_told_once_it_has_moved():
    clock = ManualClock(NOON)
    seen = []
    clock.watch(lambda: seen.append(as_datetime(clock.now())))
    clock.watch(lambda: seen.append("and the next"))
    clock.advance(60)
    assert seen == [NOON + timedelta(minutes=1), "and the next"]
