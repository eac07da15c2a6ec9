"""Which slots have been dealt with, whichever way the clock goes."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenroom import cron, every
from greenroom._course import CAP, KEPT, ON_TIME, Course, Policy, course_of
from greenroom.clock import SECOND, as_moment

NOON = as_moment(datetime(2030, 1, 1, 12, tzinfo=UTC))
HOUR = 3600 * SECOND
YEAR = 365 * 24 * HOUR
HOURLY = every(hours=1)
BEGUN = Course().begun(NOON)


def at(*hours):
    return [NOON + round(hour * HOUR) for hour in hours]


def test_of_a_course_that_is_new_nothing_is_due():
    assert BEGUN.due(HOURLY, Policy(), NOON) == ([], BEGUN, None)
    assert BEGUN.next(HOURLY, NOON) == NOON + HOUR


def test_one_that_knows_nothing_begins_with_the_present():
    assert Course().next(HOURLY, NOON) == NOON
    assert Course().due(HOURLY, Policy(), NOON) == ([], BEGUN, None)


def test_slots_that_come_in_their_time_make_one_stretch():
    course = BEGUN
    for hour in (1, 2, 3):
        slots, course, left_out = course.due(HOURLY, Policy(), NOON + hour * HOUR)
        assert (slots, left_out) == (at(hour), None)
    assert course.stretches == ((NOON, NOON + 3 * HOUR),)


@pytest.mark.parametrize(
    ("policy", "hours"),
    [
        (Policy("latest"), [3]),
        (Policy("earliest"), [1]),
        (Policy("all"), [1, 2, 3]),
        (Policy("skip"), []),
        (Policy("latest", HOUR // 2), [3]),
        (Policy("latest", HOUR // 2 - 1), []),
        (Policy("earliest", 2 * HOUR), [2]),
        (Policy("all", 2 * HOUR), [2, 3]),
        (Policy("all", 0), []),
    ],
)
def test_what_was_missed_is_made_up_for_by_policy_and_once(policy, hours):
    now = NOON + 7 * HOUR // 2
    slots, course, left_out = BEGUN.due(HOURLY, policy, now)
    assert slots == at(*hours)
    assert left_out == (None if hours == [1, 2, 3] else NOON + HOUR)
    assert course.due(HOURLY, policy, now).slots == []
    assert course.next(HOURLY, now) == NOON + 4 * HOUR


@pytest.mark.parametrize(("late", "is_enqueued"), [(ON_TIME, True), (ON_TIME + 1, False)])
def test_with_skip_what_is_late_by_up_to_a_minute_has_not_been_missed(late, is_enqueued):
    assert BEGUN.due(HOURLY, Policy("skip"), NOON + HOUR + late).slots == (at(1) if is_enqueued else [])
    assert BEGUN.due(HOURLY, Policy("skip"), NOON + 3 * HOUR + late).slots == (at(3) if is_enqueued else [])


@pytest.mark.parametrize("schedule", [every(seconds=1), cron("* * * * * *", timezone="Europe/Berlin")])
def test_of_very_many_the_last_thousand_are_made_up_for(schedule):
    slots, _, left_out = BEGUN.due(schedule, Policy("all"), NOON + YEAR)
    assert slots == [NOON + YEAR - number * SECOND for number in reversed(range(CAP))]
    assert left_out == NOON + SECOND


def test_what_a_clock_jumped_over_stays_open():
    ahead = BEGUN.due(HOURLY, Policy(), NOON + YEAR).course
    back = NOON + HOUR
    assert ahead.next(HOURLY, back) == back
    slots, course, _ = ahead.due(HOURLY, Policy(), back)
    assert slots == [back]
    assert course.next(HOURLY, back) == NOON + 2 * HOUR
    almost = NOON + YEAR - HOUR
    assert course.due(HOURLY, Policy(), almost).course.next(HOURLY, almost) == NOON + YEAR + HOUR, (
        "that one was enqueued"
    )


def test_no_more_is_remembered_than_there_is_room_for():
    course = BEGUN
    for years in range(1, 2 * KEPT):
        course = course.due(HOURLY, Policy(), NOON + years * YEAR).course
    assert len(course.stretches) == KEPT


@given(
    st.sampled_from([every(minutes=7), cron("*/15 1-3 * * *", timezone="Europe/Berlin"), cron("30 2 * * *")]),
    st.builds(
        Policy,
        st.sampled_from(["latest", "all", "earliest", "skip"]),
        st.sampled_from([None, 0, 10 * 60 * SECOND, 5 * HOUR]),
    ),
    st.lists(
        st.integers(1, 40 * 60).map(lambda s: s * SECOND) | st.sampled_from([-SECOND, -HOUR, 3 * HOUR, -24 * HOUR])
    ),
)
def test_however_the_clock_goes_no_slot_comes_twice(schedule, policy, steps):
    now, course, enqueued = NOON, Course(), []
    for step in steps:
        now += step
        slots, course, _ = course.due(schedule, policy, now)
        course = course_of(course.text())
        assert all(slot <= now for slot in slots)
        assert slots == sorted(slots)
        enqueued += slots
        coming = course.next(schedule, now)
        assert coming is None or coming > now, "and it is not asked again and again"
    assert len(set(enqueued)) == len(enqueued)


@given(st.lists(st.integers(1, 600).map(lambda s: s * SECOND), min_size=1), st.sampled_from([None, HOUR]))
def test_while_it_goes_forward_all_come(steps, grace):
    now, course, enqueued, schedule = NOON, BEGUN, [], cron("*/2 * * * *", timezone="Asia/Kolkata")
    for step in steps:
        now += step
        slots, course, left_out = course.due(schedule, Policy("all", grace), now)
        assert left_out is None
        enqueued += slots
    assert enqueued == schedule.last(NOON, now, 10_000)
