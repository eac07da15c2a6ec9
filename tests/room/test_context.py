"""What a task knows of itself, and what travels to it from whoever enqueued it."""

from types import MappingProxyType

import gevent
import pytest
from acts import PATIENCE, durable, in_a_file, stage, until, wait
from gevent.event import Event

from greenroom import NotRunning, Progress, Retry, Snooze, Status, baggage, constant, request_id


def with_context(context, word, *, twice=False):
    stage.seen.append(context)
    return word * 2 if twice else word


def tell_attempt():
    return stage.room.current().attempt


class TestCurrent:
    def test_a_task_can_be_given_its_attempt(self, room, declare):
        result = declare(room, with_context, takes_context=True).enqueue("ha", twice=True).wait(PATIENCE)
        assert result.return_value == "haha"
        (attempt,) = stage.seen
        assert (attempt.attempt, attempt.task.name) == (1, "test_context.with_context")

    def test_what_it_is_given_is_what_current_returns(self, room, declare):
        declare(room, compare, takes_context=True).enqueue().wait(PATIENCE)
        assert stage.seen == [True]

    def test_outside_of_a_task_there_is_none(self, room):
        with pytest.raises(NotRunning, match="is for code that runs in a task, and no task runs here"):
            room.current()

    def test_a_spawned_call_is_no_task(self, room):
        with pytest.raises(NotRunning):
            room.spawn(room.current).get(PATIENCE)

    def test_after_a_task_there_is_none_on_its_greenlet(self, make_room, declare):
        room = make_room(lanes={"greenlet": 1})
        declare(room, tell_attempt).enqueue().wait(PATIENCE)
        with pytest.raises(NotRunning):
            room.spawn(room.current).get(PATIENCE)

    def test_each_attempt_knows_its_number(self, room, declare):
        result = declare(room, note_attempt, max_attempts=3, backoff=constant(0)).enqueue().wait(PATIENCE)
        assert result.status is Status.FAILED
        assert stage.seen == [1, 2, 3]

    def test_two_tasks_that_run_at_once_know_each_its_own(self, room, declare):
        task = declare(room, know_thyself)
        results = [task.enqueue() for _ in range(5)]
        stage.wait_for(5)
        stage.curtain.set()
        assert [result.wait(PATIENCE).return_value for result in results] == [
            int(result.id.removeprefix("v")) for result in results
        ]


def compare(context):
    stage.seen.append(stage.room.current() is context)


def note_attempt():
    stage.seen.append(stage.room.current().attempt)
    raise OSError


def know_thyself():
    wait()
    return stage.room.current().job.id


class TestProgress:
    def test_is_seen_at_once_by_whoever_looks(self, room, declare):
        result = declare(room, work).enqueue()
        assert result.progress is None
        for number in (1, 2, 3):
            stage.wait_for()
            result.refresh()
            assert (result.status, result.progress) == (Status.RUNNING, Progress(number, 3, f"row {number}"))
            stage.step.set()
        assert result.wait(PATIENCE).progress == Progress(3, 3, "row 3")

    def test_is_kept_when_the_job_has_failed(self, room, declare):
        result = declare(room, work_and_fail, max_attempts=1).enqueue().wait(PATIENCE)
        assert (result.status, result.progress) == (Status.FAILED, Progress(7, None, ""))

    def test_stays_until_the_next_attempt_tells_of_its_own(self, room, declare):
        result = declare(room, work_once, backoff=constant(0)).enqueue()
        stage.wait_for()
        result.refresh()
        assert (result.attempts, result.progress) == (2, Progress(1, 2, ""))

    @in_a_file
    def test_is_stored_for_others_to_see(self, make_room, declare):
        here, there = make_room(start=False), make_room(start=False)
        result = declare(here, work).enqueue()
        declare(there, work)
        there.start()
        stage.wait_for()
        until(lambda: result.refresh() or result.progress == Progress(1, 3, "row 1"))

    def test_can_be_told_ten_thousand_times(self, room, declare):
        result = declare(room, work_fast).enqueue().wait(PATIENCE)
        assert result.progress == Progress(9999, 10_000, "")

    @pytest.mark.parametrize(
        ("done", "total"),
        [
            (float("nan"), 1),
            (1, float("inf")),
            ("half", 1),
            (None, 1),
            (1, "all"),
            (complex(1), None),
            (float("-inf"), None),
        ],
    )
    def test_is_told_in_finite_numbers(self, room, declare, done, total):
        stage.done, stage.total = done, total
        result = declare(room, tell_progress, max_attempts=1).enqueue().wait(PATIENCE)
        assert result.errors[0].exception_class_path == "greenroom.errors.InvalidOption"
        assert "is not a finite number" in result.errors[0].message

    @pytest.mark.parametrize("done", [10**400, -1, 0.5, True])
    def test_may_be_any_finite_number(self, room, declare, done):
        stage.done, stage.total = done, None
        assert declare(room, tell_progress).enqueue().wait(PATIENCE).progress == Progress(done, None, "")

    def test_of_a_finished_attempt_changes_nothing(self, room, declare):
        result = declare(room, with_context, takes_context=True).enqueue("word").wait(PATIENCE)
        stage.seen[0].progress(5)
        found = room.get_result(result.id)
        assert (found.status, found.return_value) == (Status.SUCCESSFUL, "word")


def work():
    stage.step = Event()
    for number in (1, 2, 3):
        stage.room.current().progress(number, 3, f"row {number}")
        stage.entered.put(number)
        stage.step.wait(PATIENCE)
        stage.step.clear()


def work_and_fail():
    stage.room.current().progress(7)
    raise ValueError("at 7")


def work_once():
    if stage.room.current().attempt == 1:
        stage.room.current().progress(1, 2)
        raise Retry(after=0)
    wait()


def work_fast():
    for number in range(10_000):
        stage.room.current().progress(number, 10_000)


def tell_progress():
    stage.room.current().progress(stage.done, stage.total)


class TestBaggage:
    @pytest.fixture(autouse=True)
    def _nothing_is_set(self):
        gone = request_id.set(None), baggage.set({})
        yield
        request_id.reset(gone[0])
        baggage.reset(gone[1])

    def test_a_request_id_and_baggage_travel_to_the_task(self, room, declare):
        request_id.set("7f3a")
        baggage.set({"tenant": "acme", "name": "Zoë"})
        result = declare(room, tell_baggage).enqueue()
        request_id.set("another")
        assert result.wait(PATIENCE).return_value == ("7f3a", {"tenant": "acme", "name": "Zoë"})

    def test_to_each_attempt(self, room, declare):
        request_id.set("7f3a")
        declare(room, snooze_and_tell).enqueue().wait(PATIENCE)
        assert stage.seen == ["7f3a"] * 3

    def test_through_the_store_to_a_later_time(self, make_room, declare, clock):
        room = make_room(clock=clock)
        request_id.set("7f3a")
        result = declare(room, tell_baggage).using(run_after=60).enqueue()
        request_id.set(None)
        clock.advance(60)
        assert result.wait(PATIENCE).return_value == ("7f3a", {})

    def test_with_each_of_many(self, room, declare):
        request_id.set("7f3a")
        task = declare(room, tell_baggage)
        results = room.enqueue_many([task.prepare() for _ in range(3)])
        assert [result.wait(PATIENCE).return_value for result in results] == [("7f3a", {})] * 3

    def test_they_do_not_stay_on_the_greenlet_for_the_next_task(self, make_room, declare):
        room = make_room(lanes={"greenlet": 1})
        task = declare(room, tell_baggage)
        request_id.set("7f3a")
        baggage.set({"tenant": "acme"})
        task.enqueue().wait(PATIENCE)
        request_id.set(None)
        baggage.set({})
        assert task.enqueue().wait(PATIENCE).return_value == (None, {})

    def test_what_a_task_sets_stays_in_it(self, make_room, declare):
        room = make_room(lanes={"greenlet": 1})
        declare(room, set_baggage).enqueue("mine").wait(PATIENCE)
        assert request_id.get() is None
        assert declare(room, tell_baggage).enqueue().wait(PATIENCE).return_value == (None, {})

    def test_they_travel_on_from_task_to_task(self, room, declare):
        stage.task = declare(room, tell_baggage)
        request_id.set("7f3a")
        assert declare(room, pass_on).enqueue().wait(PATIENCE).return_value == ("7f3a", {})

    def test_from_each_of_those_who_enqueue_at_once(self, room, declare):
        task = declare(room, tell_baggage)

        def enqueue_as(name):
            request_id.set(name)
            gevent.sleep(0)
            return task.enqueue().wait(PATIENCE).return_value[0]

        asking = [gevent.spawn(enqueue_as, f"request {number}") for number in range(20)]
        assert [each.get(timeout=PATIENCE) for each in asking] == [f"request {number}" for number in range(20)]

    def test_baggage_cannot_be_changed_by_the_way(self, room, declare):
        baggage.set({"tenant": "acme"})
        assert declare(room, change_baggage).enqueue().wait(PATIENCE).return_value is True


def tell_baggage():
    return request_id.get(), dict(baggage.get())


def snooze_and_tell():
    stage.seen.append(request_id.get())
    if len(stage.seen) < 3:
        raise Snooze(0)


def set_baggage(name):
    request_id.set(name)
    baggage.set({"of": name})


def pass_on():
    return stage.task.enqueue().wait(PATIENCE).return_value


def change_baggage():
    return isinstance(baggage.get(), MappingProxyType)


@durable
def test_a_task_that_takes_context_does_not_store_it(room, declare):
    result = declare(room, with_context, takes_context=True).enqueue("word")
    assert (result.args, result.kwargs) == (("word",), {})
