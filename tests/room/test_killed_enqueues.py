"""Whoever enqueues may be killed at any moment: the job is not there, or it runs. It is never stuck."""

import fcntl
import random

import gevent
import pytest
from acts import PATIENCE, durable, in_a_file, say, stage, until
from gevent.event import Event

from greenroom import Status

MOMENTS = 200


def kill(greenlet, delay):
    gevent.sleep(delay)
    greenlet.kill(timeout=PATIENCE)


def kill_twice(greenlet, delay):
    gevent.sleep(delay)
    greenlet.kill(block=False)
    gevent.sleep(0)
    greenlet.kill(timeout=PATIENCE)


def time_out(greenlet, delay):
    greenlet.join(PATIENCE)


def until_all_is_done(room):
    room.store.expired(0, 0)  # served after whatever was asked before, also by those who were killed
    until(lambda: (counts := room.counts())[Status.READY] == counts[Status.RUNNING] == 0)


@durable
@pytest.mark.parametrize("end", [kill, kill_twice, time_out])
@pytest.mark.parametrize("slots", [1, 50])
def test_a_job_runs_or_was_never_there(make_room, declare, end, slots):
    room = make_room(lanes={"greenlet": slots})
    task = declare(room, say)
    acknowledged = []

    def enqueue(number, delay):
        with gevent.Timeout(delay if end is time_out else None, False):
            task.enqueue(number)
            acknowledged.append(number)

    delays = [random.choice((0, random.uniform(0, 0.003))) for _ in range(MOMENTS)]
    for start in range(0, MOMENTS, 20):
        asking = [gevent.spawn(enqueue, number, delays[number]) for number in range(start, start + 20)]
        ending = [gevent.spawn(end, greenlet, delays[start + n]) for n, greenlet in enumerate(asking)]
        gevent.joinall(ending, raise_error=True)

    until_all_is_done(room)
    assert set(acknowledged) <= set(stage.seen)
    assert len(stage.seen) == len(set(stage.seen)) == room.counts()[Status.SUCCESSFUL]
    until(lambda: room._backstage.lanes["greenlet"].room >= slots)  # a claim that is under way has reserved them


@in_a_file
@pytest.mark.parametrize("end", [kill, kill_twice, time_out])
def test_it_ends_at_once_though_the_store_hangs(tmp_path, room, declare, end):
    task = declare(room, say)
    room.counts()
    with (tmp_path / "greenroom.db.lock").open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # as another process that writes, and was stopped in the middle of it
        asking = gevent.spawn(enqueue_in_time, task, 0.02 if end is time_out else None)
        with gevent.Timeout(PATIENCE / 2, AssertionError("it waits for the store")):
            end(asking, 0.02)
        assert asking.ready()
    until_all_is_done(room)
    assert stage.seen == ["all the same"] * room.counts()[Status.SUCCESSFUL]
    with gevent.Timeout(PATIENCE):
        room.stop(3600)


def enqueue_in_time(task, seconds):
    with gevent.Timeout(seconds, False):
        task.enqueue("all the same")


@durable
def test_some_moments_are_met_in_which_a_job_is_stored_and_nobody_was_told(make_room, declare):
    """Else the test above would show nothing."""
    room = make_room()
    task = declare(room, say)
    store, stored = room._store, Event()
    sound = store.add

    def add(jobs):
        sound(jobs)
        stored.set()
        Event().wait(PATIENCE)  # and here the greenlet is killed

    store.add = add
    asking = gevent.spawn(task.enqueue, "all the same")
    assert stored.wait(PATIENCE)
    del store.add
    asking.kill(timeout=PATIENCE)
    until(lambda: stage.seen == ["all the same"])
