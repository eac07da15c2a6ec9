"""What has finished can be run once more."""

import gevent
from acts import PATIENCE, stage, until, wait

from greenroom import Status


def failing_once(calls=[]):  # noqa: B006  (what it remembers is the point)
    calls.append(1)
    if len(calls) % 2:
        raise ValueError("the first time of two")
    return "done"


def test_a_failed_job_can_be_run_again(room, declare):
    task = declare(room, failing_once, max_attempts=1)
    result = task.enqueue().wait(timeout=10)
    assert result.status is Status.FAILED

    assert result.retry()

    assert result.wait(timeout=10).return_value == "done"
    assert (result.attempts, len(result.errors)) == (2, 1)
    assert room.get_result(result.id).return_value == "done"


def waiting():
    return None


def test_what_has_not_finished_is_not_run_again(room, declare):
    result = declare(room, waiting).using(run_after=3600).enqueue()
    assert not result.retry()
    assert result.status is Status.READY


def test_whoever_waits_for_a_job_that_is_run_again_waits_for_its_end(room, declare):
    result = declare(room, wait_and_fail_once, max_attempts=1).enqueue()
    stage.wait_for()
    waiting = gevent.spawn(result.wait, PATIENCE)
    listening = gevent.spawn(retry_when_it_failed, room.get_result(result.id))
    stage.curtain.set()
    listening.get(timeout=PATIENCE)
    assert waiting.get(timeout=PATIENCE).is_finished
    assert room.get_result(result.id).wait(PATIENCE).return_value == "the second time"


def retry_when_it_failed(result):
    until(lambda: result.refresh() or result.is_finished)
    assert result.retry()


def wait_and_fail_once():
    wait()
    if len(stage.seen) == 1:
        raise ValueError("the first time")
    return "the second time"
