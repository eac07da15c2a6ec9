"""Admission: requests come first. Lanes shrink while the loop is late, and grow back when it is on time."""

import gevent
import pytest
from loads import PATIENCE, add, compute, hold_the_loop, scene, until, wait

from greenroom import Status

pytestmark = pytest.mark.slow


def lane(room, name="greenlet"):
    return room.lane_states()[name]


def hold_and_wait(seconds):
    hold_the_loop(seconds)
    scene.curtain.wait()


def hold_again_and_again():
    while not scene.is_over:
        hold_the_loop(0.05)
        gevent.sleep(0)


def test_a_lane_that_makes_the_loop_late_shrinks(make_room):
    room = make_room(lanes={"greenlet": 8})
    room.task(hold_again_and_again).enqueue()
    until(lambda: lane(room).limit < 8)
    assert room.lanes["greenlet"] == 8
    assert lane(room, "idle").limit == 4  # nothing runs there that could be the cause


def test_never_to_less_than_one_and_waiting_work_goes_on(make_room):
    room = make_room(lanes={"greenlet": 8})
    task = room.task(hold_again_and_again)
    holding = [task.enqueue() for _ in range(4)]
    until(lambda: lane(room).limit == 1)
    gevent.sleep(0.5)
    assert lane(room).limit == 1
    waiting = room.task(add).enqueue(1, 2)
    scene.is_over = True
    assert waiting.wait(PATIENCE).return_value == 3
    assert [result.wait(PATIENCE).status for result in holding] == [Status.SUCCESSFUL] * 4


def test_what_runs_goes_on(make_room):
    room = make_room(lanes={"greenlet": 8})
    task = room.task(wait)
    results = [task.enqueue(number) for number in range(6)]
    until(lambda: len(scene.seen) == 6)
    holding = room.task(hold_again_and_again).enqueue()
    until(lambda: lane(room).limit < 4)
    assert lane(room).running == 7
    scene.is_over = True
    scene.curtain.set()
    assert [result.wait(PATIENCE).return_value for result in results] == list(range(6))
    holding.wait(PATIENCE)


def test_no_more_begin_than_the_limit_lets(make_room):
    room = make_room(lanes={"greenlet": 8})
    room.task(hold_again_and_again).enqueue()
    until(lambda: lane(room).limit == 1)
    room.spawn(wait, "call")
    gevent.sleep(0.2)
    assert scene.seen == []
    state = lane(room)
    assert (state.size, state.limit, state.running, state.waiting) == (8, 1, 1, 1)


def test_it_grows_back_when_the_loop_is_on_time_and_others_begin_though_it_rests(make_room):
    room = make_room(lanes={"greenlet": 8})
    room.task(hold_and_wait).enqueue(0.3)
    until(lambda: lane(room).limit == 1)
    task = room.task(wait)
    waiting = [task.enqueue(number) for number in range(5)]
    gevent.sleep(4)  # nothing of the test turns the loop meanwhile
    assert len(scene.seen) == 5
    until(lambda: lane(room).limit == 8)
    scene.curtain.set()
    for result in waiting:
        result.wait(PATIENCE)


def test_a_lane_that_is_short_when_a_room_joins_grows_back(make_room):
    room = make_room(lanes={"greenlet": 8})
    room.task(hold_and_wait).enqueue(0.3)
    until(lambda: lane(room).limit == 1)
    make_room()
    until(lambda: lane(room).limit == 8)


def test_what_computes_in_python_takes_no_slots_from_others(make_room, monkeypatch):
    monkeypatch.setattr("greenroom._admission.LATE", 0.5)  # far above what a slow machine makes of a quantum
    room = make_room(lanes={"greenlet": 8})
    room.task(compute).enqueue(1.0).wait(PATIENCE)
    assert lane(room).limit == 8


def test_it_is_logged_when_they_shrink_and_when_they_are_whole_again(make_room, caplog):
    caplog.set_level("INFO", "greenroom")
    room = make_room(lanes={"greenlet": 8})
    room.task(hold_again_and_again).enqueue()
    until(lambda: lane(room).limit == 1)
    scene.is_over = True
    until(lambda: lane(room).limit == 8)
    said = [line for line in caplog.messages if "the event loop is" in line]
    assert said[0].startswith("the event loop is late: lanes shrink to greenlet=")
    assert said[-1] == "the event loop is on time: lanes are whole again"


def test_the_states_of_a_room_that_is_not_in_use_are_its_sizes(make_room):
    state = lane(make_room(start=False, lanes={"greenlet": 8}))
    assert (state.size, state.limit, state.running, state.waiting) == (8, 8, 0, 0)
