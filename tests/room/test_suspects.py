"""Jobs that processes died of begin late after a start, one at a time, until they are quarantined or have ended."""

import pytest
from acts import PATIENCE, break_down, breathe, durable, say, stage, until, wait

from greenroom import InvalidOption, Status, constant
from greenroom._suspects import LATE
from greenroom.job import QUARANTINED
from greenroom.outcome import Crashed
from greenroom.testing import an_error

pytestmark = durable


def accuse(*results, crashes=2):
    """As if processes had died of these so often."""
    for result in results:
        store, job = result._side.store, result._job
        assert store.swap(job, job._replace(crashes=crashes, version=job.version + 1))


@pytest.fixture
def room(make_room, clock):
    """One that is not started yet, by a clock that stands still."""
    return make_room(start=False, clock=clock)


def test_a_suspect_begins_late_after_a_start_when_the_rest_is_done(room, declare, clock):
    task = declare(room, say)
    suspect, other = task.enqueue("suspect"), task.enqueue("other")
    accuse(suspect)
    room.start()
    other.wait(PATIENCE)
    clock.advance(LATE - 0.001)
    task.enqueue("another").wait(PATIENCE)
    assert suspect._side.get(int(suspect.id)).status is Status.READY
    clock.advance(0.001)
    assert suspect.wait(PATIENCE).status is Status.SUCCESSFUL
    assert stage.seen == ["other", "another", "suspect"]


def test_a_job_that_crashed_once_begins_at_once(room, declare):
    result = declare(room, say).enqueue("once")
    accuse(result, crashes=1)
    room.start()
    assert result.wait(PATIENCE).status is Status.SUCCESSFUL


def test_suspects_run_one_at_a_time_whatever_their_lane(room, declare, clock):
    lanes = ["greenlet", "idle", "thread", "greenlet"]
    results = [declare(room, breathe, name=f"in {n}", lane=lane).enqueue(n) for n, lane in enumerate(lanes)]
    accuse(*results)
    room.start()
    clock.advance(LATE)
    assert [result.wait(PATIENCE).status for result in results] == [Status.SUCCESSFUL] * 4
    assert stage.seen == [0, 1, 2, 3]
    assert stage.most_on_stage == 1


def test_the_rest_runs_beside_a_suspect(room, declare, clock):
    suspect = declare(room, wait).enqueue()
    accuse(suspect)
    room.start()
    clock.advance(LATE)
    stage.wait_for()
    assert declare(room, say).enqueue("beside it").wait(PATIENCE).status is Status.SUCCESSFUL
    stage.curtain.set()
    assert suspect.wait(PATIENCE).status is Status.SUCCESSFUL


def test_many_suspects_all_get_their_turn(room, declare, clock):
    results = [declare(room, breathe, name=f"{n}").enqueue(n) for n in range(20)]
    accuse(*results)
    room.start()
    clock.advance(LATE)
    until(lambda: room.counts()[Status.SUCCESSFUL] == 20)
    assert stage.most_on_stage == 1
    assert stage.seen == list(range(20))


def break_down_once():
    stage.seen.append("begun")
    if len(stage.seen) == 1:
        raise ValueError("it broke")


def test_a_suspect_that_is_tried_again_waits_for_its_time(room, declare, clock):
    suspect = declare(room, break_down_once, backoff=constant(60)).enqueue()
    accuse(suspect)
    room.start()
    clock.advance(LATE)
    until(lambda: suspect._side.get(int(suspect.id)).errors)
    assert not room.find()[0].is_finished
    clock.advance(60)
    assert suspect.wait(PATIENCE).status is Status.SUCCESSFUL
    assert suspect.crashes == 2


def test_while_a_room_begins_nothing_it_begins_no_suspect(room, declare, clock):
    suspect = declare(room, say).enqueue("suspect")
    accuse(suspect)
    room.start()
    runner = suspect._side.runner
    runner.pause(is_paused=True)
    clock.advance(LATE)
    declare(room, say, name="volatile", durable=False).enqueue("other").wait(PATIENCE)
    assert stage.seen == ["other"]
    runner.pause(is_paused=False)
    assert suspect.wait(PATIENCE).status is Status.SUCCESSFUL


def quarantined(room, declare):
    result = declare(room, say).enqueue("released")
    store, job = result._side.store, result._job
    for _ in range(3):
        running = job.claimed(store.worker, job.run_after)
        assert store.swap(job, running)
        job = running.after(Crashed(an_error(message="the process of worker 1 died"), 3), job.run_after)
        assert store.swap(running, job)
    result.refresh()
    return result


def test_a_quarantined_job_is_shown(room, declare):
    result = quarantined(room, declare)
    assert (result.status, result.crashes, result.is_quarantined) == (Status.FAILED, 3, True)
    assert result.errors[-1].exception_class_path == QUARANTINED
    assert [found.id for found in room.find(crashed=True)] == [result.id]
    assert room.find(crashed=True, status=Status.READY) == []


def test_a_quarantined_job_is_released_by_hand(room, declare):
    result = quarantined(room, declare)
    room.start()
    assert result.retry()
    assert not result.is_quarantined
    assert result.wait(PATIENCE).status is Status.SUCCESSFUL
    assert (result.crashes, result.attempts, stage.seen) == (0, 4, ["released"])
    assert room.find(crashed=True) == []


def test_what_has_failed_otherwise_is_not_quarantined(room, declare):
    room.start()
    result = declare(room, break_down, max_attempts=1).enqueue().wait(PATIENCE)
    assert (result.status, result.crashes, result.is_quarantined) == (Status.FAILED, 0, False)


@pytest.mark.parametrize("nonsense", [0, -1, 1.5, True, "3", None, 10_001])
def test_nonsense_is_refused(make_room, declare, nonsense):
    with pytest.raises(InvalidOption, match="max_crashes"):
        make_room(start=False, max_crashes=nonsense)
    if nonsense is not None:  # for a task it means: as the room says
        with pytest.raises(InvalidOption, match="max_crashes"):
            declare(make_room(start=False), say, max_crashes=nonsense)


def test_a_task_allows_as_many_crashes_as_its_room_unless_it_says_otherwise(make_room, declare):
    room = make_room(start=False, max_crashes=5)
    assert declare(room, say, name="one").max_crashes == 5
    assert declare(room, say, name="other", max_crashes=1).max_crashes == 1
    side = room._open().durable
    assert [side._crashes_of(name) for name in ("one", "other", "unknown")] == [5, 1, 5]
