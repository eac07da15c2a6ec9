"""The state machine: four pure methods, and what holds whatever is done with them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenroom.job import ERRORS_KEPT, QUARANTINED, SUSPICIOUS, Job, Progress, Status
from greenroom.outcome import Cancelled, Crashed, Failed, Released, Retried, Succeeded
from greenroom.testing.jobs import NOON, a_finished_job, a_job, an_error

FINISHED = {Status.SUCCESSFUL, Status.FAILED, Status.CANCELLED}
LATER = NOON + 60
ERROR = an_error(message="this time")

MOMENTS = st.integers(NOON, NOON + 10**9)
ERRORS = st.builds(an_error, message=st.text(max_size=3), at=MOMENTS)
OUTCOMES = st.one_of(
    st.builds(Succeeded, st.text(max_size=3)),
    st.builds(Retried, MOMENTS, ERRORS),
    st.builds(Failed, ERRORS),
    st.builds(Cancelled, st.text(max_size=3)),
    st.builds(Released, MOMENTS, st.none() | st.text(max_size=3)),
    st.builds(Crashed, ERRORS, st.integers(1, 5)),
)
# Mostly going round, so that jobs grow old.
STEPS = st.lists(
    st.tuples(st.one_of(OUTCOMES, st.builds(Retried, MOMENTS, ERRORS)), MOMENTS), min_size=1, max_size=60
)


def lives(steps, max_attempts):
    """A job's versions, pairwise: claimed when it is ready, after an outcome when it runs, again when it is over."""
    job = a_job(max_attempts=max_attempts)
    for outcome, now in steps:
        for _ in range(2):
            if job.status is Status.READY:
                new = job.claimed(7, now)
            elif job.status is Status.RUNNING:
                new = job.after(outcome, now)
            else:
                new = job.again(now)
            yield job, new, outcome
            job = new


@given(STEPS, st.integers(1, 5))
def test_each_step_makes_the_next_version(steps, max_attempts):
    assert all(new.version == old.version + 1 for old, new, _ in lives(steps, max_attempts))


@given(STEPS, st.integers(1, 5))
def test_what_was_asked_for_never_changes(steps, max_attempts):
    fixed = ("id", "task", "payload", "queue_name", "lane", "priority", "expires_at", "enqueued_at", "context")
    for old, new, _ in lives(steps, max_attempts):
        assert [getattr(new, field) for field in fixed] == [getattr(old, field) for field in fixed]


@given(STEPS, st.integers(1, 5))
def test_a_ready_job_has_an_attempt_left(steps, max_attempts):
    for _, job, _ in lives(steps, max_attempts):
        if job.status is Status.READY:
            assert 0 <= job.attempt < job.max_attempts
        else:
            assert 1 <= job.attempt <= job.max_attempts


@given(STEPS, st.integers(1, 5))
def test_only_a_job_that_was_made_ready_again_gets_another_attempt(steps, max_attempts):
    for old, new, _ in lives(steps, max_attempts):
        assert new.max_attempts == old.max_attempts or old.status in FINISHED


@given(STEPS, st.integers(1, 5))
def test_a_job_has_a_worker_while_it_runs_and_no_longer(steps, max_attempts):
    for _, job, _ in lives(steps, max_attempts):
        assert (job.worker is not None) is (job.status is Status.RUNNING)


@given(STEPS, st.integers(1, 5))
def test_a_finished_job_and_no_other_says_when(steps, max_attempts):
    for _, job, _ in lives(steps, max_attempts):
        assert job.is_finished is (job.status in FINISHED)
        assert (job.finished_at is not None) is job.is_finished


@given(STEPS, st.integers(1, 5))
def test_only_a_successful_job_has_a_result(steps, max_attempts):
    for _, job, _ in lives(steps, max_attempts):
        assert job.result is None or job.status is Status.SUCCESSFUL


@given(STEPS, st.integers(1, 5))
def test_errors_are_bounded_and_the_first_and_the_latest_are_kept(steps, max_attempts):
    happened = []
    for old, new, outcome in lives(steps, max_attempts):
        if old.status is Status.RUNNING and isinstance(outcome, Retried | Failed | Crashed):
            happened.append(new.errors[-1])
        assert len(new.errors) <= ERRORS_KEPT
        assert new.errors[:1] == tuple(happened[:1])
        latest = new.errors[1:]
        assert latest == tuple(happened[1:][-len(latest) :] if latest else ())
        assert len(new.errors) == min(len(happened), ERRORS_KEPT)


def test_of_many_errors_the_first_and_the_latest_are_kept():
    job = a_job(max_attempts=100)
    for number in range(1, 51):
        job = job.claimed(7, NOON).after(Retried(NOON, an_error(attempt=number)), NOON)
    assert [error.attempt for error in job.errors] == [1, *range(32, 51)]
    assert len(job.errors) == ERRORS_KEPT


@given(STEPS, st.integers(1, 5))
def test_only_claiming_begins_an_attempt_and_only_releasing_takes_it_back(steps, max_attempts):
    for old, new, outcome in lives(steps, max_attempts):
        if old.status is Status.READY:
            cost = 1
        elif old.status is Status.RUNNING and isinstance(outcome, Released):
            cost = -1
        else:
            cost = 0
        assert new.attempt == old.attempt + cost


@given(STEPS, st.integers(1, 5))
def test_only_a_crash_adds_to_the_crashes_and_only_a_hand_takes_them_back(steps, max_attempts):
    for old, new, outcome in lives(steps, max_attempts):
        if old.status in FINISHED:
            assert new.crashes == 0
        else:
            is_crash = old.status is Status.RUNNING and isinstance(outcome, Crashed)
            assert new.crashes == old.crashes + is_crash


@given(STEPS, st.integers(1, 5))
def test_a_suspect_has_crashed_more_than_once_and_is_not_given_up(steps, max_attempts):
    for _, job, _ in lives(steps, max_attempts):
        assert job.is_suspect is (job.crashes >= 2 and not job.is_finished)


def running(attempt, **changes):
    return a_job(status=Status.RUNNING, attempt=attempt, version=attempt, worker=7, started_at=NOON, **changes)


@pytest.mark.parametrize("attempt", [1, 2, 3])
@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        (Succeeded('"ok"'), {"status": Status.SUCCESSFUL, "result": '"ok"'}),
        (Failed(ERROR), {"status": Status.FAILED, "errors": (ERROR,)}),
        (Cancelled("sold out"), {"status": Status.CANCELLED, "note": "sold out"}),
    ],
)
def test_these_end_a_job_whatever_the_attempt(attempt, outcome, expected):
    old = running(attempt)
    assert old.after(outcome, LATER) == old._replace(
        version=old.version + 1, worker=None, finished_at=LATER, **expected
    )


@pytest.mark.parametrize("attempt", [1, 2])
def test_a_job_with_attempts_left_is_retried(attempt):
    old = running(attempt)
    assert old.after(Retried(LATER, ERROR), NOON) == old._replace(
        status=Status.READY, version=old.version + 1, worker=None, run_after=LATER, errors=(ERROR,)
    )


def test_a_job_without_attempts_left_has_failed():
    old = running(3)
    assert old.after(Retried(LATER, ERROR), NOON) == old.after(Failed(ERROR), NOON)
    assert old.after(Retried(LATER, ERROR), NOON).status is Status.FAILED


@pytest.mark.parametrize("attempt", [1, 2, 3])
@pytest.mark.parametrize("note", [None, "parked: nobody knows it"])
def test_a_released_job_is_ready_as_if_the_attempt_had_not_been(attempt, note):
    old = running(attempt)
    assert old.after(Released(LATER, note), NOON) == old._replace(
        status=Status.READY, version=old.version + 1, worker=None, run_after=LATER, attempt=attempt - 1, note=note
    )


@pytest.mark.parametrize("crashes", [0, 1])
def test_a_job_whose_process_died_is_ready_at_once(crashes):
    old = running(crashes + 1, crashes=crashes)
    assert old.after(Crashed(ERROR, 3), LATER) == old._replace(
        status=Status.READY,
        version=old.version + 1,
        worker=None,
        run_after=LATER,
        errors=(ERROR,),
        crashes=crashes + 1,
    )


def test_a_job_that_its_process_dies_of_again_and_again_is_quarantined():
    old = running(3, crashes=2, max_attempts=9)
    new = old.after(Crashed(ERROR, 3), LATER)
    assert (new.status, new.crashes, new.finished_at, new.worker) == (Status.FAILED, 3, LATER, None)
    (error,) = new.errors
    assert error == ERROR._replace(exception_class_path=QUARANTINED, message=error.message)
    assert error.message == (
        "quarantined: its process died 3 times while it ran it (this time). If that was not its doing, or is mended, "
        "release it with result.retry()"
    )


def test_quarantine_may_come_with_the_first_crash():
    (error,) = running(1).after(Crashed(ERROR, 1), LATER).errors
    assert error.message.startswith("quarantined: its process died once while it ran it")


def test_a_job_that_crashes_in_its_last_attempt_has_failed_and_is_not_quarantined():
    new = running(3, max_attempts=3).after(Crashed(ERROR, 3), LATER)
    assert (new.status, new.crashes, new.errors) == (Status.FAILED, 1, (ERROR,))


def test_a_quarantined_job_that_is_released_by_hand_is_under_no_suspicion():
    again = a_finished_job(status=Status.FAILED, crashes=SUSPICIOUS + 1).again(LATER)
    assert (again.status, again.crashes, again.is_suspect) == (Status.READY, 0, False)


def test_claiming_forgets_why_it_was_parked_but_not_how_far_it_came():
    job = a_job(note="parked: nobody knows it", progress=Progress(1.0, 2.0, "")).claimed(7, NOON)
    assert (job.note, job.progress) == (None, Progress(1.0, 2.0, ""))


def test_a_job_that_is_claimed_ahead_starts_when_it_is_due():
    assert a_job(run_after=LATER).claimed(7, NOON).started_at == LATER


def test_claiming_says_who_and_when():
    job = a_job().claimed(7, LATER)
    assert (job.status, job.attempt, job.worker, job.started_at) == (Status.RUNNING, 1, 7, LATER)


def test_what_went_before_stays_on_a_job_that_is_tried_again():
    failed = running(3, errors=(ERROR,), progress=Progress(1.0, 2.0, "")).after(Failed(ERROR), LATER)
    again = failed.again(LATER + 5)
    assert (again.status, again.run_after, again.finished_at) == (Status.READY, LATER + 5, None)
    assert (again.attempt, again.max_attempts) == (3, 4)
    assert again.errors == (ERROR, ERROR)


def test_a_job_that_did_not_use_up_its_attempts_keeps_its_allowance():
    assert a_finished_job(attempt=1, max_attempts=3).again(LATER).max_attempts == 3


def test_claiming_and_succeeding_by_the_short_way_are_what_replace_would_make():
    job = a_finished_job(status=Status.READY, worker=None)
    claimed = job.claimed(7, LATER)
    assert claimed == job._replace(
        status=Status.RUNNING,
        attempt=job.attempt + 1,
        version=job.version + 1,
        worker=7,
        started_at=LATER,
        note=None,
    )
    assert type(claimed) is Job
    assert claimed.after(Succeeded("1"), LATER + 1) == claimed._replace(
        status=Status.SUCCESSFUL, version=claimed.version + 1, worker=None, finished_at=LATER + 1, result="1"
    )


def test_a_job_that_is_called_off_is_not_tried_again():
    job = running(1).call_off("no need")
    assert (job.status, job.called_off, job.version) == (Status.RUNNING, "no need", running(1).version + 1)
    for outcome, errors in ((Retried(LATER, ERROR), (ERROR,)), (Crashed(ERROR, 3), (ERROR,)), (Released(LATER), ())):
        ended = job.after(outcome, LATER)
        assert (ended.status, ended.note, ended.finished_at) == (Status.CANCELLED, "no need", LATER)
        assert ended.errors == errors


def test_a_job_that_has_ended_before_it_knew_that_it_was_called_off_has_ended():
    job = running(1).call_off("no need")
    assert job.after(Succeeded("1"), LATER).status is Status.SUCCESSFUL
    assert job.after(Failed(ERROR), LATER).status is Status.FAILED


def test_only_what_runs_is_called_off():
    assert running(1).called_off is None
    assert a_job(note="to be cancelled: once").called_off is None
