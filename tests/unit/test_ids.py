"""Ids: ascending, in time order, and made without asking anybody."""

import time
from datetime import UTC, datetime
from threading import get_ident

import gevent
from hypothesis import given
from hypothesis import strategies as st

from greenroom._ids import Ids, id_at
from greenroom.clock import SECOND, ManualClock, as_moment

NOON = ManualClock().now()
MILLISECOND = SECOND // 1000


@given(st.lists(st.integers(-SECOND, SECOND), max_size=50), st.integers(0, 2000))
def test_each_id_is_greater_than_the_one_before_whatever_the_clock_does(steps, worker):
    ids, now, last = Ids(worker), NOON, 0
    for step in steps:
        now += step
        made = ids.make(now)
        assert made > last
        last = made


@given(st.integers(0, 511), st.integers(0, 10**9))
def test_an_id_tells_the_millisecond_it_was_made_in(worker, later):
    now = NOON + later
    assert id_at(now) <= Ids(worker).make(now) < id_at(now + MILLISECOND)


def test_many_of_one_millisecond_differ():
    ids = Ids(1)
    made = [ids.make(NOON) for _ in range(10_000)]
    assert made == sorted(set(made))


def test_a_later_millisecond_comes_after_many_of_an_earlier_one():
    ids = Ids(511)
    early = [ids.make(NOON) for _ in range(4096)]
    assert ids.make(NOON + MILLISECOND) > early[-1]


@given(st.integers(0, 511), st.integers(0, 511))
def test_two_workers_make_different_ids_in_the_same_millisecond(one, other):
    ours, theirs = Ids(one), Ids(other)
    mine = {ours.make(NOON) for _ in range(100)}
    assert mine.isdisjoint(theirs.make(NOON) for _ in range(100)) is (one != other)


def test_ids_fit_63_bits_until_the_year_2109():
    assert 0 < Ids(511).make(as_moment(datetime(2109, 1, 1, tzinfo=UTC))) < 1 << 63


def test_native_threads_never_make_the_same_id():
    ids = Ids(3)
    pool = gevent.get_hub().threadpool

    def make_many():
        return get_ident(), [ids.make(time.time_ns() // 1000) for _ in range(20_000)]

    made = [thread.get(timeout=30) for thread in [pool.spawn(make_many) for _ in range(4)]]
    everything = [number for _, numbers in made for number in numbers]
    assert len(set(everything)) == len(everything)
    assert all(numbers == sorted(numbers) for _, numbers in made)
