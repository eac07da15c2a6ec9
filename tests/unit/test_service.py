"""A service: turns of work, one after the other, whatever happens in one of them."""

import time
from itertools import pairwise

import gevent
import pytest
from gevent.event import Event

from greenroom._service import Service


@pytest.fixture
def make_service():
    made = []

    def make(turn):
        made.append(Service("the service", turn))
        return made[-1]

    yield make
    for service in made:
        service.stop()


class Turns:
    """Counts the turns; does with each what it is told, and waits for ever after it."""

    def __init__(self, *acts):
        self.count = 0
        self._acts = list(acts)
        self._bell = Event()

    def __call__(self):
        self.count += 1
        self._bell.set()
        if self._acts:
            act = self._acts.pop(0)
            return act() if callable(act) else act
        return None

    def first(self, act):
        self._acts.insert(0, act)

    def reach(self, number):
        with gevent.Timeout(10):
            while self.count < number:
                self._bell.clear()
                self._bell.wait()


def trouble():
    raise OSError("the disk is on fire")


def test_the_first_turn_comes_when_it_is_started(make_service):
    turns = Turns()
    make_service(turns).start()
    turns.reach(1)


def test_it_waits_as_long_as_the_turn_says(make_service):
    turns = Turns(0.01, 0.01, None)
    make_service(turns).start()
    turns.reach(3)
    gevent.sleep(0.05)
    assert turns.count == 3


def test_it_is_woken_before_that(make_service):
    turns = Turns(3600, 3600)
    service = make_service(turns)
    service.start()
    turns.reach(1)
    service.wake()
    turns.reach(2)


def test_a_call_during_the_turn_is_not_lost(make_service):
    turns = Turns()
    service = make_service(turns)
    turns.first(service.wake)
    service.start()
    turns.reach(2)


def test_a_turn_that_raises_is_followed_by_others(make_service, monkeypatch, caplog):
    monkeypatch.setattr("greenroom._service._FIRST_PAUSE", 0.01)
    turns = Turns(trouble, trouble, 3600)
    service = make_service(turns)
    service.start()
    turns.reach(2)
    assert service.trouble == "OSError: the disk is on fire"
    turns.reach(3)
    gevent.idle()
    assert service.trouble is None
    assert [record.getMessage() for record in caplog.records] == ["the service: trouble, and will be tried again"]


def test_it_waits_longer_and_longer_while_there_is_trouble(make_service, monkeypatch):
    monkeypatch.setattr("greenroom._service._FIRST_PAUSE", 0.01)
    monkeypatch.setattr("greenroom._service._LONGEST_PAUSE", 0.04)
    moments = []

    def trouble_again():
        moments.append(time.monotonic())
        trouble()

    turns = Turns(*[trouble_again] * 12)  # without an end to its growth, the last pause would be of 20 seconds
    make_service(turns).start()
    turns.reach(13)
    pauses = [after - before for before, after in pairwise(moments)]
    assert all(pause > least for pause, least in zip(pauses, (0.008, 0.016, 0.032, 0.032), strict=False))


def test_what_is_rung_for_during_trouble_makes_no_hot_loop(make_service, monkeypatch):
    monkeypatch.setattr("greenroom._service._FIRST_PAUSE", 3600.0)
    turns = Turns(trouble)
    service = make_service(turns)
    service.start()
    turns.reach(1)
    for _ in range(10):
        service.wake()
        gevent.sleep(0.001)
    assert turns.count == 1


def test_stopping_lets_the_turn_that_is_under_way_end(make_service):
    begun, may_end, ended = Event(), Event(), []

    def turn():
        begun.set()
        may_end.wait(10)
        ended.append(True)

    service = make_service(turn)
    service.start()
    assert begun.wait(10)
    gevent.spawn_later(0.02, may_end.set)
    service.stop()
    assert ended == [True]


def test_no_turn_begins_after_it_was_stopped(make_service):
    turns = Turns(3600)
    service = make_service(turns)
    service.start()
    turns.reach(1)
    service.stop()
    service.wake()
    gevent.sleep(0.01)
    assert turns.count == 1


def test_start_and_stop_may_come_twice_and_in_the_wrong_order(make_service):
    turns = Turns()
    service = make_service(turns)
    service.stop()
    service.start()
    service.start()
    turns.reach(1)
    gevent.sleep(0.01)
    assert turns.count == 1
    service.stop()
    service.stop()
    service.start()
    turns.reach(2)


def test_stopping_ends_the_pause_after_trouble(make_service):
    turns = Turns(trouble)
    service = make_service(turns)
    service.start()
    turns.reach(1)
    with gevent.Timeout(10):
        service.stop()
