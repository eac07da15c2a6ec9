"""Which slots have been dealt with, whichever way the clock goes."""

from datetime import UTC, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from greenroom import cron, every
from greenroom._course import CAP, KEPT, ON_TIME, SETTLED, Course, Policy, course_of, new_course
from greenroom._periodic import AHEAD, Periodic
from greenroom.clock import SECOND, as_moment

NOON = as_moment(datetime(2030, 1, 1, 12, tzinfo=UTC))
HOUR = 3600 * SECOND
YEAR = 365 * 24 * HOUR
HOURLY = every(hours=1)
BEGUN = new_course(NOON)


def at(*hours):
    return [NOON + round(hour * HOUR) for hour in hours]


def test_of_a_course_that_is_new_nothing_is_due():
    assert BEGUN.due(HOURLY, Policy(), NOON) == ([], BEGUN, None)
    assert BEGUN.next(HOURLY, NOON) == NOON + HOUR


def test_slots_that_come_in_their_time_make_one_stretch():
    course = BEGUN
    for hour in (1, 2, 3):
        slots, course, left_out = course.due(HOURLY, Policy(), NOON + hour * HOUR)
        assert (slots, left_out) == (at(hour), None)
    assert course == Course(((NOON, NOON + 3 * HOUR),), at=NOON + 3 * HOUR, since=NOON)


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


def test_the_grace_time_is_counted_from_when_a_slot_is_due_and_not_from_when_it_is_looked_for():
    periodic = Periodic(
        name="it", schedule=HOURLY, task="t", payload="", origin="added", policy=Policy("latest", grace=SECOND)
    )
    due = NOON + HOUR
    for now, slots in ((due - AHEAD, at(1)), (due + SECOND, at(1)), (due + SECOND + 1, [])):
        assert periodic.due(BEGUN, now + AHEAD, AHEAD, lambda: None).slots == slots


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


@pytest.mark.parametrize("policy", [Policy("latest"), Policy("all"), Policy("earliest"), Policy("skip")], ids=str)
def test_no_policy_takes_what_was_jumped_over_for_done(policy):
    ahead = BEGUN.due(HOURLY, policy, NOON + YEAR)
    course, enqueued = ahead.course, []
    for hour in range(1, 73):
        slots, course, left_out = course.due(HOURLY, policy, NOON + hour * HOUR)
        assert left_out is None
        enqueued += slots
    assert enqueued == [slot for slot in at(*range(1, 73)) if slot not in ahead.slots]


def test_daily_slots_that_a_year_ahead_left_to_all_come_in_their_time():
    daily, clocks = every(days=1), [NOON + YEAR * 4, *range(NOON, NOON + 10 * 24 * HOUR, HOUR)]
    course, enqueued = BEGUN, []
    for now in clocks:
        slots, course, _ = course.due(daily, Policy("all"), now)
        enqueued += slots
    assert enqueued[CAP:] == [NOON + (12 + 24 * day) * HOUR for day in range(10)]


def test_a_clock_that_is_set_by_less_than_a_minute_opens_nothing_that_was_left_out():
    second, late = every(seconds=1), NOON + 3 * HOUR
    for policy in (Policy("latest"), Policy("skip"), Policy("earliest")):
        course = BEGUN.due(second, policy, late).course
        assert course.due(second, policy, late - SETTLED) == ([], course, None)
        assert course.next(second, late - SETTLED) == late + SECOND


def test_what_was_left_out_before_a_stretch_is_made_up_for_once_it_was_come_back_to():
    second, all_ = every(seconds=1), Policy("all")
    ahead = BEGUN.due(second, all_, NOON + HOUR)
    assert ahead.slots[0] == NOON + (3601 - CAP) * SECOND
    course, enqueued = ahead.course, []
    for now in (1, 1000, 2000, 2900):
        slots, course, left_out = course.due(second, all_, NOON + now * SECOND)
        assert left_out is None
        enqueued += slots
    assert enqueued == [NOON + number * SECOND for number in range(1, 3601 - CAP)]


def test_what_went_by_while_it_was_paused_is_open_and_not_made_up_for():
    five, all_ = every(minutes=5), Policy("all")
    course = BEGUN.due(five, all_, NOON + HOUR // 12).course.resumed(NOON + 2 * HOUR)
    assert course.due(five, all_, NOON + 2 * HOUR).slots == []
    back = NOON + HOUR
    assert course.next(five, back) == back
    slots, course, _ = course.due(five, all_, back)
    assert slots == []
    assert course.next(five, back) == back + HOUR // 12, "but in its time"
    assert course.due(five, all_, back + HOUR // 6).slots == [back + HOUR // 12, back + HOUR // 6]


def test_a_machine_that_begins_in_1970_until_its_clock_is_set_makes_up_for_nothing_that_is_done():
    course = BEGUN.due(HOURLY, Policy(), NOON + 5 * HOUR).course.due(HOURLY, Policy(), NOON + 6 * HOUR).course
    assert course.next(HOURLY, SECOND) == SECOND
    slots, course, _ = course.due(HOURLY, Policy(), SECOND)
    assert slots == []
    assert course.next(HOURLY, SECOND) == HOUR
    for coalesce in ("latest", "all", "earliest", "skip"):
        later = course.due(HOURLY, Policy(coalesce), NOON + 7 * HOUR + SECOND)
        assert set(later.slots) <= set(at(1, 2, 3, 4, 7)), "5 and 6 were enqueued, and before noon there was nothing"
    assert course.due(HOURLY, Policy(), NOON + 7 * HOUR).slots == at(7)


def test_what_is_missed_counts_from_when_the_clock_was_set_right_if_it_was_ahead_at_the_first_start():
    all_, start = Policy("all"), NOON - 24 * HOUR
    course = BEGUN.due(HOURLY, all_, start).course
    slots, course, _ = course.due(HOURLY, all_, start + HOUR)
    assert slots == [start + HOUR]
    assert len(course.due(HOURLY, all_, NOON + 2 * HOUR).slots) == 25


def test_no_more_is_remembered_than_there_is_room_for():
    course = BEGUN
    for years in range(1, 2 * KEPT):
        course = course.due(HOURLY, Policy(), NOON + years * YEAR).course
    assert len(course.stretches) == KEPT


def test_the_widest_gaps_are_remembered():
    course = BEGUN.due(HOURLY, Policy(), NOON + HOUR).course.due(HOURLY, Policy(), NOON + YEAR).course
    for number in range(2 * KEPT):  # it stays ahead, is up for an hour, and down for nine
        course = course.due(HOURLY, Policy(), NOON + YEAR + 10 * (number + 1) * HOUR).course
    assert course.due(HOURLY, Policy(), NOON + 2 * HOUR).slots == at(2)


def test_what_there_is_no_room_for_is_taken_for_done_and_never_for_open():
    minutely, course = every(minutes=1), BEGUN
    course = course.due(minutely, Policy(), NOON + YEAR).course.due(minutely, Policy(), NOON + SECOND).course
    enqueued = []
    for night in range(3 * KEPT):  # it sleeps for ten minutes at a time
        slots, course, _ = course.due(minutely, Policy(), NOON + 10 * (night + 1) * 60 * SECOND)
        enqueued += slots
    assert len(enqueued) == 3 * KEPT
    assert len(course.stretches) == KEPT
    for minute in range(30 * KEPT):
        assert not set(course.due(minutely, Policy(), NOON + minute * 60 * SECOND).slots) & set(enqueued)


def test_the_gap_that_it_lives_in_stays_open_however_narrow_it_has_become():
    course = BEGUN.due(HOURLY, Policy(), NOON + YEAR).course
    for number in range(3 * KEPT):  # it is up for an hour, and down for nine
        course = course.due(HOURLY, Policy(), NOON + 10 * (number + 1) * HOUR).course
    nearly = NOON + YEAR - 3 * HOUR
    course = course.due(HOURLY, Policy(), nearly).course
    assert len(course.stretches) == KEPT
    assert course.next(HOURLY, nearly) == nearly + HOUR


def test_a_course_as_it_was_kept_once_is_understood():
    course = course_of(f"[[{NOON + YEAR}, {NOON + YEAR}], [{NOON}, {NOON + HOUR}]]")
    assert course == Course(((NOON, NOON + HOUR), (NOON + YEAR, NOON + YEAR)), at=NOON + HOUR, since=NOON)
    assert course.due(HOURLY, Policy(), NOON + 2 * HOUR).slots == at(2)


BACK = [-SECOND, -HOUR, -24 * HOUR, -YEAR]


@given(
    st.sampled_from([every(minutes=7), cron("*/15 1-3 * * *", timezone="Europe/Berlin"), cron("30 2 * * *")]),
    st.builds(
        Policy,
        st.sampled_from(["latest", "all", "earliest", "skip"]),
        st.sampled_from([None, 0, 10 * 60 * SECOND, 5 * HOUR]),
    ),
    st.lists(st.integers(1, 40 * 60).map(lambda s: s * SECOND) | st.sampled_from([*BACK, 3 * HOUR, YEAR])),
)
@example(every(minutes=7), Policy("all"), [SECOND, HOUR, *[3 * HOUR, SECOND, -SECOND] * KEPT, -24 * HOUR, 3 * HOUR])
def test_however_the_clock_goes_no_slot_comes_twice_and_none_goes_by_in_silence(schedule, policy, steps):
    now, course, enqueued, told = NOON, BEGUN, [], []
    for step in steps:
        before, now = now, now + step
        slots, course, left_out = course.due(schedule, policy, now)
        course = course_of(course.text())
        assert all(slot <= now for slot in slots)
        assert slots == sorted(slots)
        enqueued += slots
        if left_out is not None:
            assert left_out <= now
            told.append((left_out, now))
        coming = course.next(schedule, now)
        assert coming is None or coming > now, "and it is not asked again and again"
        if 0 < step < YEAR:
            for slot in schedule.last(before, now, 1000):
                is_told = any(first <= slot <= last for first, last in told)
                assert slot in enqueued or is_told
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
