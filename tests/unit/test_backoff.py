"""How long to wait before the next attempt."""

from dataclasses import FrozenInstanceError
from datetime import timedelta
from math import inf, isfinite, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenroom.backoff import Backoff, constant, exponential, linear
from greenroom.errors import InvalidOption

DAY = 86_400.0
LENGTHS = st.floats(0, DAY * 365) | st.integers(0, 86_400 * 365)
BACKOFFS = st.builds(
    Backoff,
    first=LENGTHS,
    step=LENGTHS,
    factor=st.floats(1, 100) | st.integers(1, 100),
    cap=LENGTHS,
    jitter=st.floats(0, 1),
)
ATTEMPTS = st.integers(1, 10_000)
DRAWS = st.floats(0, 1, exclude_max=True)


def without_jitter():
    return 0.5


@given(BACKOFFS, ATTEMPTS, DRAWS)
def test_a_wait_is_never_negative_nor_beyond_the_cap_and_its_jitter(backoff, attempt, draw):
    wait = backoff.wait(attempt, lambda: draw)
    assert isfinite(wait)
    assert 0 <= wait <= backoff.cap * (1 + backoff.jitter) * 1.000001


@given(BACKOFFS, ATTEMPTS, DRAWS)
def test_jitter_is_drawn_around_what_the_wait_would_be(backoff, attempt, draw):
    middle = backoff.wait(attempt, without_jitter)
    away = abs(backoff.wait(attempt, lambda: draw) - middle)
    assert away <= middle * (backoff.jitter + 1e-9)


@given(BACKOFFS, st.integers(1, 9_999))
def test_a_later_attempt_waits_no_less_than_an_earlier_one(backoff, attempt):
    assert backoff.wait(attempt, without_jitter) <= backoff.wait(attempt + 1, without_jitter)


@given(st.floats(1, 100) | st.integers(1, 100), ATTEMPTS)
def test_nothing_grows_to_nothing(factor, attempt):
    assert Backoff(first=0, factor=factor).wait(attempt) == 0


def test_the_default_draw_spreads_jobs_that_failed_together():
    backoff = exponential(10, jitter=0.5)
    waits = {backoff.wait(1) for _ in range(50)}
    assert len(waits) > 40
    assert all(5 <= wait <= 15 for wait in waits)


def test_constant_waits_the_same_each_time():
    assert [constant(5).wait(attempt) for attempt in (1, 2, 9_999)] == [5, 5, 5]


def test_constant_is_not_capped_at_a_day():
    assert constant(timedelta(days=3)).wait(1) == 3 * DAY


def test_linear_grows_by_a_step():
    assert [linear(10, cap=35).wait(attempt) for attempt in (1, 2, 3, 4, 5)] == [10, 20, 30, 35, 35]


def test_exponential_grows_by_a_factor():
    backoff = exponential(1, factor=3, cap=100, jitter=0)
    assert [backoff.wait(attempt) for attempt in (1, 2, 3, 4, 5, 6)] == [1, 3, 9, 27, 81, 100]


def test_exponential_begins_with_a_second_and_ends_with_an_hour():
    backoff = exponential()
    assert (backoff.wait(1, without_jitter), backoff.wait(2, without_jitter)) == (1, 2)
    assert backoff.wait(10_000, without_jitter) == 3600


@pytest.mark.parametrize("make", [constant, linear, exponential])
def test_a_length_may_be_a_timedelta(make):
    assert make(timedelta(minutes=2)).first == make(120).first == 120


@pytest.mark.parametrize("option", ["first", "step", "factor", "cap", "jitter"])
@pytest.mark.parametrize("value", [-1, nan, inf, -inf, 10**400, None, "5", True, timedelta(seconds=1)])
def test_what_is_no_number_in_range_is_refused_by_name(option, value):
    with pytest.raises(InvalidOption, match=rf"^backoff {option}=.* is out of range: use a number from "):
        Backoff(**{"first": 1.0, option: value})


@pytest.mark.parametrize("make", [constant, linear, exponential])
def test_what_is_no_length_of_time_is_refused(make):
    with pytest.raises(InvalidOption, match="backoff first='soon' is out of range: use a number from 0 to 31536000"):
        make("soon")


def test_a_backoff_is_frozen():
    with pytest.raises(FrozenInstanceError):
        exponential().first = 5
