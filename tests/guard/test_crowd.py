"""The crowd: threads that compute at once keep the loop waiting for the interpreter, and so no more of them begin."""

import socket
import time

import gevent
import pytest
from loads import PATIENCE, compute_for_ever, hold, scene, until

from greenroom._crowd import Crowd

pytestmark = pytest.mark.slow

SLOTS = 4


@pytest.fixture
def room(make_room):
    return make_room(lanes={"thread": SLOTS, "greenlet": 8})


@pytest.fixture(autouse=True)
def _lanes_do_not_shrink_for_lateness(monkeypatch):
    monkeypatch.setattr("greenroom._admission.LATE", PATIENCE)


@pytest.fixture(autouse=True)
def traffic():
    """What a request does, again and again: each time that it sends or receives it lets go of the interpreter."""
    ours, theirs = socket.socketpair()

    def ask():
        while True:
            gevent.sleep(0.001)
            for _ in range(30):
                ours.sendall(b"?")
                theirs.recv(1)

    greenlet = gevent.spawn(ask)
    yield
    greenlet.kill()
    ours.close()
    theirs.close()


def lane(room):
    return room.lane_states()["thread"]


def wait_in_c():
    while not scene.is_over:
        scene.seen.append("waits")
        hold(0.05)


def declare(room, func):
    return room.task(lane="thread", max_attempts=1)(func)


def fill(room):
    """Have each slot compute."""
    task = declare(room, compute_for_ever)
    return [task.enqueue() for _ in range(SLOTS)]


def test_of_threads_that_compute_one_is_left(room):
    fill(room)
    until(lambda: lane(room).limit == 1)
    assert lane(room).running == SLOTS  # what runs goes on
    assert room.lane_states()["greenlet"].limit == 8


def test_no_more_begin_and_it_is_whole_again_when_they_have_ended(room):
    computing = fill(room)
    until(lambda: lane(room).limit == 1)
    waiting = declare(room, wait_in_c).enqueue()
    gevent.sleep(0.3)
    assert scene.seen == []
    scene.is_over = True
    for result in [*computing, waiting]:
        result.wait(PATIENCE)
    until(lambda: lane(room).limit == SLOTS)


def test_nor_does_any_begin_for_a_while_after_they_have_ended(make_room, monkeypatch):
    monkeypatch.setattr("greenroom._crowd._PATIENCE", 1000.0)
    room = make_room(lanes={"thread": SLOTS})
    computing = fill(room)
    until(lambda: lane(room).limit == 1)
    scene.is_over = True
    for result in computing:
        result.wait(PATIENCE)
    gevent.sleep(0.5)
    assert lane(room).limit == 1


def test_one_that_computes_is_no_crowd_and_neither_are_those_that_wait(room):
    declare(room, compute_for_ever).enqueue()
    task = declare(room, wait_in_c)
    for _ in range(SLOTS - 2):
        task.enqueue()
    until(lambda: len(scene.seen) > 50)
    assert lane(room).limit == SLOTS


def test_the_log_names_them(room, caplog):
    caplog.set_level("INFO", "greenroom")
    fill(room)
    said = until(lambda: [line for line in caplog.messages if "threads compute at once" in line])
    assert "keep the event loop waiting for the interpreter: lanes shrink to " in said[0]
    assert said[0].endswith('needs no thread, but lane="greenlet", or "process": loads.compute_for_ever')


def test_it_does_so_too_where_the_lane_is_short_already(room, caplog):
    caplog.set_level("INFO", "greenroom")
    fill(room)
    until(lambda: lane(room).running == SLOTS)
    room._backstage.lanes["thread"].resize(1)
    until(lambda: [line for line in caplog.messages if "threads compute at once" in line])


def test_those_that_come_one_by_one_are_let_in_less_and_less_often(room):
    crowd = Crowd(room._backstage.lanes["thread"])
    fill(room)

    def patience():
        """Seconds from a crowd until more are let in."""
        until(lambda: crowd.turned(1.0))
        began = time.perf_counter()
        assert not crowd.lets_in()
        until(crowd.lets_in)
        assert not crowd.lets_in()  # the next only once it is known what becomes of this one
        return time.perf_counter() - began

    first, second = patience(), patience()
    assert first < second
