"""The rhythm of the alarm, with an alarm of its own."""

import sys
import time

import gevent
import pytest

from greenroom._alarm import Alarm
from greenroom._rhythm import Rhythm

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the alarm is another signal")


@pytest.fixture
def rings():
    return []


@pytest.fixture
def rhythm(rings):
    rhythm = Rhythm()
    rhythm.alarm = Alarm(lambda *_: rings.append(rhythm.period), lambda: None)
    yield rhythm
    rhythm.alarm.close()


def test_what_the_alarm_remembers_has_an_end(rhythm):
    for number in range(20_000):
        rhythm.wind(0.001 + number * 1e-7)
    assert len(rhythm.alarm._timer._settings) < 50


def test_it_is_never_wound_to_no_time_at_all(rhythm, rings):
    rhythm.wind(1e-9)
    gevent.sleep(0.05)
    assert rings


@pytest.mark.parametrize("is_quick", [False, True])
def test_it_is_armed_whatever_it_took_the_tasks_for(rhythm, rings, is_quick):
    rhythm.is_quick = is_quick
    rhythm.arm(is_quick=is_quick)
    gevent.sleep(0.1)
    assert rings
    assert rhythm.is_armed


def test_once_armed_it_is_only_made_quicker(rhythm):
    rhythm.arm(is_quick=True)
    before = rhythm._rings_at
    rhythm.arm(is_quick=True)
    rhythm.arm(is_quick=False)
    assert (rhythm._rings_at, rhythm.is_quick) == (before, True)


def test_at_rest_it_does_not_ring(rhythm, rings):
    rhythm.arm(is_quick=True)
    rhythm.rest()
    rings.clear()
    gevent.sleep(0.1)
    assert rings == []


def test_a_ring_in_the_middle_of_winding_may_be_the_last(rhythm, rings):
    wind = rhythm.alarm.set

    def set_and_ring(*times):
        wind(*times)
        rhythm.rest()

    rhythm.alarm.set = set_and_ring
    rhythm.wind(0.001)
    rhythm.alarm.set = wind
    assert not rings
    rhythm.expect(time.perf_counter())
    gevent.sleep(0.05)
    assert rings, "it was taken for one that is about to ring"
