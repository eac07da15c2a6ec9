"""Receivers hear what happens, and what they do harms nobody."""

import gevent
import pytest
from blinker import NamedSignal
from gevent.event import Event

from greenroom.signals import emit


@pytest.fixture
def signal():
    return NamedSignal("something_happens")


def test_a_receiver_is_given_the_sender_and_the_details(signal):
    heard = []
    signal.connect(lambda sender, **details: heard.append((sender, details)), weak=False)
    emit(signal, "the room", result=5)
    assert heard == [("the room", {"result": 5})]


def test_a_receiver_of_one_sender_does_not_hear_another(signal):
    heard = []
    mine, theirs = object(), object()
    signal.connect(heard.append, sender=mine, weak=False)
    emit(signal, theirs)
    emit(signal, mine)
    assert heard == [mine]


def test_a_signal_without_receivers_is_heard_by_nobody(signal):
    emit(signal, "the room")


@pytest.mark.parametrize("kind", [ValueError, RecursionError, gevent.Timeout])
def test_a_receiver_that_raises_keeps_no_other_from_hearing(signal, caplog, kind):
    heard = []

    def loud(sender):
        heard.append("loud")
        raise kind

    def quiet(sender):
        heard.append("quiet")

    for receiver in (loud, quiet):
        signal.connect(receiver, weak=False)
    emit(signal, "the room")
    assert sorted(heard) == ["loud", "quiet"]
    (record,) = caplog.records
    assert "a receiver of something_happens raised" in record.getMessage()
    assert "loud" in record.getMessage()
    assert record.exc_info[0] is kind


def test_whoever_is_killed_while_a_receiver_runs_is_killed(signal):
    reached = Event()

    def slow(sender):
        reached.set()
        Event().wait(30)

    signal.connect(slow, weak=False)
    emitting = gevent.spawn(emit, signal, "the room")
    assert reached.wait(10)
    emitting.kill(timeout=10)
    assert isinstance(emitting.value, gevent.GreenletExit)
