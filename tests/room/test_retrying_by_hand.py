"""What has finished can be run once more."""

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
