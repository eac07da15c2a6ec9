"""What goes wrong is tried again, for so long as was declared, and a task can say itself how its attempt ends."""

import sqlite3
from contextlib import closing
from datetime import timedelta

import gevent
import pytest
from acts import PATIENCE, add, break_down, in_a_file, say, stage, succeed_at, until, wait

from greenroom import Cancel, Retry, Snooze, Status, constant, linear
from greenroom.clock import as_datetime

AT_ONCE = constant(0)


def run(room, declare, func, *args, **options):
    """Enqueue it and wait for its end."""
    return declare(room, func, **{"backoff": AT_ONCE, **options}).enqueue(*args).wait(PATIENCE)


def pass_by(room, declare):
    """Have the room look for due jobs, and run what it finds."""
    task = room.tasks.get("pass by") or declare(room, add, name="pass by")
    task.enqueue(1).wait(PATIENCE)


def test_a_task_is_tried_until_it_succeeds(room, declare):
    result = run(room, declare, succeed_at, 3, max_attempts=5)
    assert (result.status, result.return_value, result.attempts) == (Status.SUCCESSFUL, 3, 3)
    assert [(error.attempt, error.message) for error in result.errors] == [(1, "try 1"), (2, "try 2")]
    assert stage.seen == [1, 2, 3]


def wait_and_fail_once():
    wait()
    if len(stage.seen) == 1:
        raise ConnectionError


@in_a_file
def test_an_attempt_that_begins_before_the_room_knows_that_the_last_is_stored_can_be_ended(room, declare, tmp_path):
    result = declare(room, wait_and_fail_once, backoff=AT_ONCE).enqueue()
    stage.wait_for()
    side = room._backstage.sides[0]
    queue = side.store._writer._waiting
    with closing(sqlite3.connect(tmp_path / "greenroom.db", isolation_level=None)) as database:
        database.execute("BEGIN IMMEDIATE")
        gevent.spawn(declare(room, add).enqueue, 1)
        until(lambda: not queue)  # the writer has taken that, and waits
        stage.curtain.set()
        until(lambda: stage.seen)
        stage.curtain.clear()
        side.runner.wake()
        until(lambda: len(queue) == 2)  # how it ended, and the claim of what is ready
        database.execute("COMMIT")
    stage.wait_for()
    assert result.cancel() is True
    assert result.wait(PATIENCE).status is Status.CANCELLED


def test_a_task_is_tried_until_its_attempts_are_used_up(room, declare):
    result = run(room, declare, break_down, max_attempts=3)
    assert (result.status, result.attempts) == (Status.FAILED, 3)
    assert [error.attempt for error in result.errors] == [1, 2, 3]
    assert len(stage.seen) == 3


def test_three_attempts_are_made_unless_something_else_is_said(room, declare):
    assert run(room, declare, break_down).attempts == 3


def test_max_attempts_can_be_chosen_for_a_job(room, declare):
    task = declare(room, break_down, backoff=AT_ONCE)
    assert task.using(max_attempts=1).enqueue().wait(PATIENCE).attempts == 1
    assert task.using(max_attempts=5).enqueue().wait(PATIENCE).attempts == 5


def test_the_next_attempt_is_made_when_the_backoff_says_and_no_sooner(make_room, declare, clock):
    room = make_room(clock=clock)
    result = declare(room, break_down, max_attempts=3, backoff=linear(10)).enqueue()
    for attempt, pause in ((1, 10), (2, 20)):
        until(lambda: len(stage.seen) == attempt)  # noqa: B023
        until(lambda: result.refresh() or result.status is Status.READY)
        assert result.run_after == as_datetime(clock.now()) + timedelta(seconds=pause)
        clock.advance(pause - 0.001)
        pass_by(room, declare)
        assert len(stage.seen) == attempt
        clock.advance(0.001)
    assert result.wait(PATIENCE).status is Status.FAILED


@pytest.mark.parametrize(("kind_of_error", "attempts"), [(OSError, 2), (ConnectionError, 2), (ValueError, 1)])
def test_only_what_is_in_retry_on_is_tried_again(room, declare, kind_of_error, attempts):
    stage.error = kind_of_error
    result = run(room, declare, raise_it, max_attempts=2, retry_on=(OSError, KeyError))
    assert (result.status, result.attempts) == (Status.FAILED, attempts)


def test_with_an_empty_retry_on_nothing_is_tried_again(room, declare):
    stage.error = ValueError
    assert run(room, declare, raise_it, retry_on=()).attempts == 1


def test_what_is_no_exception_is_tried_again_if_it_was_named(room, declare):
    stage.error = gevent.Timeout
    assert run(room, declare, raise_it, retry_on=gevent.Timeout).attempts == 3


def raise_it():
    raise stage.error


class TestRetry:
    def test_is_tried_again_though_it_is_not_in_retry_on(self, room, declare):
        stage.verdict = Retry("503")
        result = run(room, declare, give_verdict, retry_on=(), max_attempts=2)
        assert (result.status, result.attempts) == (Status.FAILED, 2)
        assert [error.message for error in result.errors] == ["503", "503"]
        assert result.errors[0].exception_class_path == "greenroom.errors.Retry"

    @pytest.mark.parametrize("after", [90, timedelta(seconds=90)])
    def test_comes_after_the_time_it_says(self, make_room, declare, clock, after):
        room = make_room(clock=clock)
        stage.verdict = Retry(after=after)
        result = declare(room, give_verdict, backoff=AT_ONCE).enqueue()
        until(lambda: stage.seen)
        until(lambda: result.refresh() or result.status is Status.READY)
        assert result.run_after == as_datetime(clock.now()) + timedelta(seconds=90)
        assert result.attempts == 1

    def test_comes_after_the_backoff_if_it_says_none(self, make_room, declare, clock):
        room = make_room(clock=clock)
        stage.verdict = Retry("503")
        result = declare(room, give_verdict, backoff=constant(7)).enqueue()
        until(lambda: stage.seen)
        until(lambda: result.refresh() or result.status is Status.READY)
        assert result.run_after == as_datetime(clock.now()) + timedelta(seconds=7)


class TestSnooze:
    def test_costs_no_attempt_and_is_no_error(self, room, declare):
        result = run(room, declare, snooze_until, 5, max_attempts=1)
        assert (result.status, result.attempts, result.errors) == (Status.SUCCESSFUL, 1, ())
        assert stage.seen == [1] * 5

    @pytest.mark.parametrize("after", [90, timedelta(seconds=90)])
    def test_puts_the_job_back_for_so_long(self, make_room, declare, clock, after):
        room = make_room(clock=clock)
        stage.verdict = Snooze(after)
        result = declare(room, give_verdict).enqueue()
        until(lambda: stage.seen)
        until(lambda: result.refresh() or result.status is Status.READY)
        assert result.run_after == as_datetime(clock.now()) + timedelta(seconds=90)
        assert (result.attempts, result.errors) == (0, ())
        clock.advance(89.999)
        pass_by(room, declare)
        assert len(stage.seen) == 1
        clock.advance(0.001)
        until(lambda: len(stage.seen) == 2)


class TestCancel:
    def test_ends_the_job_for_good(self, room, declare):
        stage.verdict = Cancel("the address is no more")
        result = run(room, declare, give_verdict, max_attempts=5)
        assert (result.status, result.attempts, result.errors) == (Status.CANCELLED, 1, ())
        assert result.note == "the address is no more"


def give_verdict():
    stage.seen.append(stage.verdict)
    raise stage.verdict


def snooze_until(number):
    stage.seen.append(stage.room.current().attempt)
    if len(stage.seen) < number:
        raise Snooze(0)


@pytest.mark.parametrize("verdict", [Retry, Snooze])
@pytest.mark.parametrize(
    "after", [-1, float("nan"), float("inf"), timedelta(-1), timedelta.max, "5 minutes", 10**400]
)
def test_a_time_that_makes_no_sense_is_an_error_like_another(make_room, declare, verdict, after):
    room = make_room(lanes={"greenlet": 1})
    stage.verdict, stage.after = verdict, after
    result = run(room, declare, ask_for, retry_on=())
    assert result.status is Status.FAILED
    assert result.errors[0].exception_class_path == "greenroom.errors.InvalidOption"
    assert "after=" in result.errors[0].message
    assert declare(room, say).enqueue("the slot is free again").wait(PATIENCE).status is Status.SUCCESSFUL


def ask_for():
    raise stage.verdict(after=stage.after)


def test_a_retry_of_so_many_seconds_has_failed_and_its_traceback_tells_how_it_is_written(room, declare):
    result = run(room, declare, retry_sixty, max_attempts=2)
    assert (result.status, result.attempts) == (Status.FAILED, 2)
    for error in result.errors:
        assert error.exception_class_path == "greenroom.errors.InvalidOption"
        assert "raise Retry(60)" in error.traceback
        assert error.traceback.endswith("this is of type int. Write Retry(after=60).\n")


def retry_sixty():
    raise Retry(60)


def test_a_snooze_after_an_error_is_not_taken_for_a_retry(room, declare, heard):
    result = run(room, declare, fail_then_snooze, max_attempts=5)
    assert result.status is Status.SUCCESSFUL
    assert heard[result.id].count("retried") == 1


def fail_then_snooze():
    stage.seen.append(None)
    if len(stage.seen) == 1:
        raise ValueError("at first")
    if len(stage.seen) < 5:
        raise Snooze(0)
