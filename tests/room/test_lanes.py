"""Lanes: no more at once than there are slots, nobody kept out, and the urgent first."""

import gevent
import pytest
from acts import PATIENCE, add, breathe, durable, in_a_file, say, stage, until, volatile, wait
from gevent.event import Event

from greenroom import Status


def test_no_more_run_at_once_than_there_are_slots(make_room, declare):
    room = make_room(lanes={"greenlet": 3})
    task = declare(room, breathe)
    gevent.joinall([gevent.spawn(task.enqueue, number) for number in range(60)], raise_error=True)
    until(lambda: len(stage.seen) == 60)
    assert stage.most_on_stage == 3
    assert sorted(stage.seen) == list(range(60))


def test_so_it_is_when_they_were_there_before_the_room_was_started(make_room, declare):
    room = make_room(lanes={"greenlet": 3}, start=False)
    task = declare(room, breathe)
    room.enqueue_many([task.prepare(number) for number in range(60)])
    room.start()
    until(lambda: len(stage.seen) == 60)
    assert stage.most_on_stage == 3


def test_a_thousand_pass_through_three_slots(make_room, declare):
    room = make_room(lanes={"greenlet": 3})
    task = declare(room, say)
    enqueuing = [gevent.spawn(lambda part: [task.enqueue(n) for n in part], range(k, 1000, 20)) for k in range(20)]
    results = [result for greenlet in enqueuing for result in greenlet.get(timeout=PATIENCE)]
    for result in results:
        result.wait(PATIENCE)
    assert sorted(stage.seen) == list(range(1000))


def test_calls_and_jobs_share_the_slots(make_room, declare):
    room = make_room(lanes={"greenlet": 4})
    task = declare(room, breathe)
    results = [task.enqueue() for _ in range(30)]
    calls = [room.spawn(breathe) for _ in range(30)]
    for call in calls:
        call.get(PATIENCE)
    for result in results:
        result.wait(PATIENCE)
    assert stage.most_on_stage == 4


def test_the_urgent_come_first_when_a_slot_is_free(make_room, declare):
    room = make_room(lanes={"greenlet": 1})
    declare(room, wait).enqueue("in the way")
    stage.wait_for()
    task = declare(room, say)
    results = [task.using(priority=priority).enqueue(priority) for priority in (-5, 100, 7, 1, -100, 50)]
    stage.curtain.set()
    for result in results:
        result.wait(PATIENCE)
    assert stage.seen == ["in the way", 100, 50, 7, 1, -5, -100]


@durable
def test_of_the_same_priority_the_oldest_comes_first(make_room, declare):
    room = make_room(lanes={"greenlet": 1}, start=False)
    task = declare(room, say)
    results = [task.enqueue(number) for number in range(20)]
    room.start()
    for result in results:
        result.wait(PATIENCE)
    assert stage.seen == list(range(20))


@durable
class TestShares:
    """Each of the two kinds of work keeps its half, however hard the other presses."""

    @pytest.fixture
    def room(self, make_room):
        yield (room := make_room(lanes={"greenlet": 4}))
        stage.is_over = True
        stage.curtain.set()
        until(room._backstage.lanes["greenlet"].is_empty)

    def test_jobs_run_while_calls_flood_the_lane(self, room, declare):
        stage.is_over = False
        for _ in range(100):
            room.spawn(flood_with_calls)
        task = declare(room, breathe)
        for result in [task.enqueue(number) for number in range(20)]:
            assert result.wait(PATIENCE).status is Status.SUCCESSFUL

    def test_calls_run_while_jobs_flood_the_lane(self, room, declare):
        stage.is_over = False
        stage.task = declare(room, flood_with_jobs)
        for _ in range(50):
            stage.task.enqueue()
        for number in range(20):
            assert room.spawn(add, number).get(PATIENCE) == number

    def test_while_both_wait_each_gets_half_of_the_slots(self, room, declare):
        first_may_end = Event()
        for _ in range(4):
            room.spawn(first_may_end.wait)
        gevent.idle()
        task = declare(room, wait)
        for _ in range(10):
            task.enqueue("job")
            room.spawn(wait, "call")
        first_may_end.set()
        assert sorted(stage.wait_for(4)) == ["call", "call", "job", "job"]

    def test_jobs_take_the_slots_that_calls_leave(self, room, declare):
        calls_may_end = Event()
        for _ in range(2):
            room.spawn(calls_may_end.wait)
        gevent.idle()
        task = declare(room, wait)
        for number in range(6):
            task.enqueue(number)
        stage.wait_for(2)
        gevent.idle()
        assert stage.entered.empty()
        calls_may_end.set()
        stage.wait_for(2)


def flood_with_calls():
    Event().wait(0.001)
    if not stage.is_over:
        stage.room.spawn(flood_with_calls)


def flood_with_jobs():
    Event().wait(0.001)
    if not stage.is_over:
        stage.task.enqueue()


class TestIdle:
    def test_work_begins_when_the_loop_has_nothing_to_do(self, room, declare):
        task = declare(room, say, lane="idle")
        for result in [task.enqueue(number) for number in range(10)]:
            result.wait(PATIENCE)
        assert sorted(stage.seen) == list(range(10))

    def test_work_lets_what_is_ready_go_first(self, room, declare):
        result = declare(room, say, lane="idle").enqueue("idle")
        for number in range(5):
            gevent.spawn(stage.seen.append, number)
        result.wait(PATIENCE)
        assert stage.seen.index("idle") == 5

    def test_it_has_slots_of_its_own(self, make_room, declare):
        room = make_room(lanes={"greenlet": 1, "idle": 2})
        declare(room, wait).enqueue("busy")
        stage.wait_for()
        task = declare(room, wait, name="idle", lane="idle")
        for _ in range(3):
            task.enqueue("idle")
        assert stage.wait_for(2) == ["idle"] * 2
        gevent.sleep(0.02)
        assert stage.entered.empty()

    @volatile
    def test_under_steady_traffic_it_gets_a_turn_when_its_patience_ends(self, monkeypatch, make_room, declare):
        monkeypatch.setattr("greenroom.lanes.idle.PATIENCE", 0.05)
        room = make_room()
        task = declare(room, say, lane="idle")
        is_over = Event()
        traffic = gevent.spawn(keep_busy, is_over)
        gevent.sleep(0)
        for result in [task.enqueue(number) for number in range(3)]:
            result.wait(PATIENCE)
        is_over.set()
        traffic.join()


def keep_busy(is_over):
    """Something is always ready, so that the loop is never idle."""
    while not is_over.is_set():
        gevent.sleep(0)


@in_a_file
def test_the_runner_does_not_run_in_circles_while_all_slots_are_taken(make_room, declare, clock, monkeypatch):
    room = make_room(clock=clock, lanes={"greenlet": 1, "idle": 1})
    declare(room, wait).enqueue()
    declare(room, wait, name="idle", lane="idle").enqueue()
    stage.wait_for(2)
    result = declare(room, add).using(run_after=10).enqueue(1)
    service = room._backstage.durable.runner.service
    turns = []

    def counted(turn=service._turn):
        turns.append(None)
        return turn()

    monkeypatch.setattr(service, "_turn", counted)
    clock.advance(11)
    gevent.sleep(0.1)
    assert len(turns) < 10
    stage.curtain.set()
    assert result.wait(PATIENCE).return_value == 1
