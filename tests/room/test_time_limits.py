"""`timeout` ends an attempt that takes too long, and `expires` a job that begins too late."""

from datetime import UTC, datetime, timedelta

import pytest
from acts import PATIENCE, add, say, stage, wait
from gevent.event import Event

from greenroom import Status, constant

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)


class TestTimeout:
    @pytest.mark.parametrize("timeout", [0.02, timedelta(milliseconds=20)])
    def test_ends_an_attempt(self, room, declare, timeout):
        result = declare(room, wait, timeout=timeout, max_attempts=1).enqueue().wait(PATIENCE)
        assert result.status is Status.FAILED
        assert result.errors[0].exception_class_path == "builtins.TimeoutError"
        assert result.errors[0].message == "task acts.wait ran longer than its timeout of 0.02 s"
        assert stage.on_stage == 0

    def test_is_an_error_like_another_to_retry_on(self, room, declare):
        task = declare(room, wait, timeout=0.01, max_attempts=2, backoff=constant(0))
        assert task.enqueue().wait(PATIENCE).attempts == 2
        picky = declare(room, wait, name="picky", timeout=0.01, max_attempts=2, retry_on=ValueError)
        assert picky.enqueue().wait(PATIENCE).attempts == 1

    def test_is_not_for_the_task_to_catch(self, room, declare):
        result = declare(room, catch_too_much, timeout=0.02, max_attempts=1).enqueue().wait(PATIENCE)
        assert result.errors[0].exception_class_path == "builtins.TimeoutError"
        assert stage.seen == []

    def test_leaves_alone_what_ends_in_time(self, room, declare):
        task = declare(room, add, timeout=30)
        assert task.enqueue(1, 2).wait(PATIENCE).return_value == 3

    def test_counts_from_when_the_function_is_called(self, make_room, declare):
        room = make_room(lanes={"greenlet": 1})
        declare(room, wait).enqueue()
        stage.wait_for()
        result = declare(room, add, timeout=0.05).enqueue(1)
        Event().wait(0.1)
        stage.curtain.set()
        assert result.wait(PATIENCE).return_value == 1

    def test_is_known_to_the_task_as_its_deadline(self, make_room, declare, clock):
        room = make_room(clock=clock, lanes={"greenlet": 1})
        declare(room, wait).enqueue()
        stage.wait_for()
        result = declare(room, tell_deadline, timeout=3600).enqueue()
        clock.advance(100)
        stage.curtain.set()
        assert result.wait(PATIENCE).return_value == NOON + timedelta(seconds=100 + 3600)

    def test_without_one_there_is_no_deadline(self, room, declare):
        assert declare(room, tell_deadline).enqueue().wait(PATIENCE).return_value is None


def catch_too_much():
    for _ in range(3):
        try:
            Event().wait(PATIENCE)
        except Exception:  # noqa: BLE001 - carelessly
            stage.seen.append("carried on")


def tell_deadline():
    return stage.room.current().deadline


class TestExpires:
    @pytest.fixture
    def late(self, make_room, declare, clock):
        """Enqueue a job in a room that is not open yet, and open it so many seconds later."""

        def run(seconds, **options):
            room = make_room(clock=clock, start=False)
            result = declare(room, say, **options).enqueue("on stage")
            clock.advance(seconds)
            room.start()
            return result.wait(PATIENCE)

        return run

    @pytest.mark.parametrize("expires", [60, timedelta(minutes=1), NOON + timedelta(minutes=1)])
    def test_cancels_a_job_that_has_not_begun_by_then(self, late, expires):
        result = late(60, expires=expires)
        assert result.status is Status.CANCELLED
        assert result.note == "expired: it was to start before 2030-01-01T12:01:00+00:00"
        assert stage.seen == []

    @pytest.mark.parametrize("expires", [60, timedelta(minutes=1), NOON + timedelta(minutes=1)])
    def test_leaves_alone_what_begins_in_time(self, late, expires):
        assert late(59.999999, expires=expires).return_value == "on stage"

    def test_can_be_chosen_for_a_job(self, make_room, declare, clock):
        room = make_room(clock=clock, start=False)
        task = declare(room, say, expires=60)
        results = [task.enqueue("declared"), task.using(expires=3600).enqueue("chosen")]
        clock.advance(600)
        room.start()
        assert [result.wait(PATIENCE).status for result in results] == [Status.CANCELLED, Status.SUCCESSFUL]

    def test_ends_a_job_that_waits_for_its_next_attempt_too(self, make_room, declare, clock):
        room = make_room(clock=clock)
        result = declare(room, fail, expires=60, backoff=constant(120)).enqueue()
        while not stage.seen:
            Event().wait(0.005)
        while result.refresh() or result.status is not Status.READY:
            Event().wait(0.005)
        clock.advance(120)
        assert result.wait(PATIENCE).status is Status.CANCELLED
        assert stage.seen == ["failed"]


def fail():
    stage.seen.append("failed")
    raise OSError
