"""What is to run later runs then, and not before."""

import time
from datetime import UTC, datetime, timedelta

import gevent
import pytest
from acts import PATIENCE, add, durable, in_a_file, say, stage, until
from gevent.event import Event

from greenroom import Status
from greenroom.stores import MemoryStore, SqliteStore

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize("run_after", [60, 60.0, timedelta(minutes=1), NOON + timedelta(minutes=1)])
def test_a_job_runs_at_its_time_and_not_before(make_room, declare, clock, run_after):
    room = make_room(clock=clock)
    result = declare(room, say).using(run_after=run_after).enqueue("on time")
    pass_by = declare(room, add)
    clock.advance(59.999)
    pass_by.enqueue(1).wait(PATIENCE)
    result.refresh()
    assert (result.status, stage.seen) == (Status.READY, [])
    clock.advance(0.001)
    assert result.wait(PATIENCE).return_value == "on time"


def test_a_job_that_was_due_yesterday_runs_now(make_room, declare, clock):
    room = make_room(clock=clock)
    result = declare(room, say).using(run_after=NOON - timedelta(days=1)).enqueue("late")
    assert result.wait(PATIENCE).return_value == "late"


def test_jobs_run_in_the_order_of_their_times(make_room, declare, clock):
    room = make_room(clock=clock)
    task = declare(room, say)
    results = {delay: task.using(run_after=delay).enqueue(delay) for delay in (5, 1, 4, 2, 3)}
    for delay in (1, 2, 3, 4, 5):
        clock.advance(1)
        results[delay].wait(PATIENCE)
        assert stage.seen == list(range(1, delay + 1))


@durable
def test_thousands_that_fall_due_at_once_are_all_run(make_room, declare, clock):
    room = make_room(clock=clock)
    task = declare(room, say).using(run_after=60)
    room.enqueue_many([task.prepare(number) for number in range(2500)])
    clock.advance(60)
    until(lambda: len(stage.seen) == 2500)


def test_by_the_clock_of_the_machine_it_is_on_time_too(room, declare):
    asked = time.monotonic()  # and not once it is stored, which may take as long as it is put off for
    result = declare(room, say).using(run_after=0.1).enqueue("on time")
    result.wait(PATIENCE)
    assert time.monotonic() - asked > 0.09
    assert result.started_at >= result.run_after


@durable
def test_what_was_scheduled_before_the_room_stopped_is_run_when_it_runs_again(make_room, declare, clock):
    room = make_room(clock=clock)
    result = declare(room, say).using(run_after=60).enqueue("in the end")
    room.stop()
    clock.advance(3600)
    room.start()
    assert room.get_result(result.id).wait(PATIENCE).return_value == "in the end"


@durable
@pytest.mark.parametrize("delay", [0, 0.2])
def test_what_is_added_while_the_runner_asks_the_store_is_not_forgotten(make_room, declare, monkeypatch, delay):
    asked, may_know = Event(), Event()
    may_know.set()
    for store in (SqliteStore, MemoryStore):

        def claim(self, wanted, sound=store.claim):
            answer = sound(self, wanted)
            asked.set()
            may_know.wait(PATIENCE)
            return answer

        monkeypatch.setattr(store, "claim", claim)
    room = make_room()
    task = declare(room, say)
    task.enqueue("to begin with").wait(PATIENCE)
    asked.clear()
    may_know.clear()
    room._backstage.durable.runner.wake()
    assert asked.wait(PATIENCE)

    adding = gevent.spawn(task.using(run_after=delay).enqueue, "meanwhile")
    result = adding.get(timeout=PATIENCE)
    may_know.set()
    assert result.wait(PATIENCE).return_value == "meanwhile"


@in_a_file
@pytest.mark.parametrize("delay", [0, 0.05])
def test_what_another_process_enqueues_is_found_by_the_safety_net(make_room, declare, monkeypatch, delay):
    monkeypatch.setattr("greenroom._runner.SAFETY_NET", 0.2)
    here, there = make_room(start=False), make_room(start=False)
    declare(there, say)
    there.start()
    until(lambda: not there._backstage.durable.runner.has_backlog())
    declare(here, say).using(run_after=delay).enqueue("over there")
    until(lambda: stage.seen == ["over there"])
