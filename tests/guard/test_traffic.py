"""Idle work begins while no request is in flight and the loop is on time; its patience has an end."""

import time

import gevent
import pytest
from loads import PATIENCE, add, hold

from greenroom.lanes.traffic import traffic


@pytest.fixture
def idle_work(make_room, monkeypatch):
    """Enqueues a task of the idle lane, with so much patience."""

    def enqueue(patience):
        monkeypatch.setattr("greenroom.lanes.idle.PATIENCE", patience)
        return make_room().task(lane="idle", durable=False)(add).enqueue(1, 2)

    return enqueue


def test_without_requests_it_begins_at_once(idle_work):
    assert idle_work(3600).wait(PATIENCE).return_value == 3
    assert traffic.in_flight == 0


def test_while_a_request_is_in_flight_it_waits_and_the_loop_may_rest(idle_work):
    with traffic:
        result = idle_work(3600)
        began = time.thread_time()
        gevent.sleep(0.5)
        assert not result.is_finished
        assert time.thread_time() - began < 0.3
    assert result.wait(PATIENCE).return_value == 3


def test_its_patience_has_an_end(idle_work):
    with traffic:
        assert idle_work(0.1).wait(PATIENCE).return_value == 3


@pytest.mark.slow
def test_it_has_all_of_its_patience_each_time(make_room, monkeypatch):
    monkeypatch.setattr("greenroom.lanes.idle.PATIENCE", 2.0)
    task = make_room().task(lane="idle", durable=False)(add)
    with traffic:
        first = task.enqueue(1)
        gevent.sleep(1.5)
    first.wait(PATIENCE)
    with traffic:
        second = task.enqueue(1)
        gevent.sleep(0.8)
        assert not second.is_finished


@pytest.mark.slow
def test_while_the_loop_is_late_it_waits(idle_work):
    is_over = []

    def make_late():
        while not is_over:
            hold(0.05)
            gevent.sleep(0)

    busy = gevent.spawn(make_late)
    gevent.sleep(0.1)
    result = idle_work(3600)
    gevent.sleep(0.5)
    assert not result.is_finished
    is_over.append(True)
    busy.join()
    assert result.wait(PATIENCE).return_value == 3


def test_a_request_that_fails_is_in_flight_no_more():
    with pytest.raises(ValueError, match="the page is broken"), traffic:
        raise ValueError("the page is broken")
    assert traffic.in_flight == 0
