"""A process that was stopped for longer than its lease: others have its jobs, and it goes on as another worker."""

import gevent
import pytest
from acts import PATIENCE, in_a_file, say, stage, until, wait
from gevent.threadpool import ThreadPool

from greenroom import Status
from greenroom._janitor import FATES
from greenroom.clock import SECOND, ManualClock, SystemClock
from greenroom.outcome import Retried, Succeeded
from greenroom.stores import SqliteStore
from greenroom.stores.base import LEASE, Fate
from greenroom.testing import an_error

pytestmark = in_a_file


@pytest.fixture
def survivor(tmp_path):
    """Another worker on the same file, which declares those dead that it is told to."""
    store = SqliteStore(tmp_path / "greenroom.db")
    store.open()
    yield store
    store.close()


@pytest.fixture
def declare_dead(survivor):
    """What becomes of a room that was stopped for so long that its lease ran out; gives the jobs it ran."""

    def declare_it_dead():
        later = SystemClock().now() + LEASE * 2
        jobs = [job for job, _ in survivor.expired(later, 100)]
        for job in jobs:
            assert survivor.swap(job, job.after(Retried(later, an_error()), later))
        survivor.expired(later, 100)
        return jobs

    return declare_it_dead


def enqueue(room, task):
    return [task.enqueue("all the same")]


def enqueue_many(room, task):
    return room.enqueue_many([task.prepare("all the same")])


def enqueue_in_a_thread(room, task):
    pool = ThreadPool(1)
    try:
        return [pool.spawn(task.enqueue, "all the same").get(timeout=PATIENCE)]
    finally:
        pool.kill()


def enqueue_several_at_once(room, task):
    asking = [gevent.spawn(task.enqueue, "all the same") for _ in range(20)]
    gevent.joinall(asking, raise_error=True)
    return [greenlet.value for greenlet in asking]


@pytest.mark.parametrize("ask", [enqueue, enqueue_many, enqueue_in_a_thread, enqueue_several_at_once])
@pytest.mark.parametrize("is_started", [True, False])
def test_what_is_enqueued_after_it_is_stored_and_run(make_room, declare, declare_dead, ask, is_started):
    room = make_room(start=is_started)
    task = declare(room, say)
    room.counts()
    before = room._store.worker
    declare_dead()
    results = ask(room, task)
    room.start()
    assert {result.wait(PATIENCE).status for result in results} == {Status.SUCCESSFUL}
    assert stage.seen == ["all the same"] * len(results)
    assert room._store.worker > before


def test_what_waits_for_its_time_is_still_run(room, declare, declare_dead):
    declare_dead()
    result = declare(room, say).using(run_after=0.2).enqueue("later")
    assert result.wait(PATIENCE).status is Status.SUCCESSFUL


def test_jobs_are_called_off_and_run_again_all_the_same(room, declare, declare_dead):
    task = declare(room, say)
    waiting, done = task.using(run_after=3600).enqueue("never"), task.enqueue("twice").wait(PATIENCE)
    declare_dead()
    assert waiting.cancel()
    declare_dead()
    assert done.retry()
    assert done.wait(PATIENCE).return_value == "twice"


def test_what_it_ran_is_ended_and_comes_to_nothing(room, declare, declare_dead, survivor, caplog):
    result = declare(room, wait).enqueue("here")
    stage.wait_for()
    (lost,) = declare_dead()
    rescued = survivor.get(lost.id)
    theirs = rescued.claimed(survivor.worker, lost.run_after).after(Succeeded('"there"'), lost.run_after)
    assert survivor.swap(rescued, theirs)
    declare(room, say).enqueue("something else").wait(PATIENCE)
    until(lambda: not room._backstage.durable.runner.attempts)
    result.refresh()
    assert result.return_value == "there"
    assert survivor.get(lost.id) == theirs
    assert stage.on_stage == 0
    assert stage.seen == ["something else"]
    assert any("stalled, and was declared dead; it goes on as worker" in line for line in caplog.messages)


def test_what_was_running_in_a_process_that_stalled_is_no_crash(make_room, declare, survivor, monkeypatch, caplog):
    """Nobody renews its lease for an hour: the process of both is this one, and lives."""
    clock = ManualClock()
    stalled = SqliteStore(survivor._path, lease=3600 * SECOND, clock=clock)
    stalled.open()
    room = make_room(start=False, clock=clock)
    task = declare(room, say)
    result = task.enqueue("rescued")
    job = result._job
    assert stalled.swap(job, job.claimed(stalled.worker, job.run_after))
    monkeypatch.setattr("greenroom._janitor.EVERY", 0.01)
    room.start()
    until(lambda: clock.advance(10) or stage.seen)
    result.wait(PATIENCE)
    assert (result.status, result.crashes, result.attempts) == (Status.SUCCESSFUL, 0, 2)
    assert result.errors[0].exception_class_path == FATES[Fate.STALLED][0]
    assert any("which is stalled" in line for line in caplog.messages)
    stalled.close()
