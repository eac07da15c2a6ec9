"""What becomes of a job is seen on its result: looked at again, or waited for."""

from datetime import UTC, datetime, timedelta

import gevent
import pytest
from acts import PATIENCE, add, break_down, durable, in_a_file, say, stage, until, volatile, wait

from greenroom import InvalidOption, NotSuccessful, Status, StoreUnavailable, UnknownResult, WaitTimeout
from greenroom.stores import MemoryStore, SqliteStore


@pytest.fixture
def only_woken(monkeypatch):
    """Whoever waits would look again by himself only after an hour."""
    monkeypatch.setattr("greenroom._side._LOOK_AGAIN", 3600.0)


def in_a_thread(function, *args):
    """On a native thread, which has a hub of its own if it needs one."""
    return gevent.get_hub().threadpool.spawn(function, *args)


def test_what_a_task_returns_is_its_return_value(room, declare):
    result = declare(room, add).enqueue(1, b=2)
    assert result.wait(PATIENCE) is result
    assert (result.status, result.is_finished, result.return_value) == (Status.SUCCESSFUL, True, 3)
    assert (result.attempts, result.errors, result.note) == (1, (), None)


@pytest.mark.parametrize(
    "value", [None, False, "", 0, [1, [2]], (1, 2), {"a": {1, 2}}, datetime(2030, 1, 1, tzinfo=UTC)]
)
def test_any_value_that_can_be_stored_comes_back_as_it_was(room, declare, value):
    returned = declare(room, say).enqueue(value).wait(PATIENCE).return_value
    assert returned == value
    assert type(returned) is type(value)


def test_a_result_says_what_was_asked_for(make_room, declare, clock):
    room = make_room(clock=clock)
    task = declare(room, add, name="sum", queue_name="maths")
    result = task.using(priority=5, run_after=60).enqueue(1)
    noon = datetime(2030, 1, 1, 12, tzinfo=UTC)
    assert (result.task_name, result.queue_name, result.priority) == ("sum", "maths", 5)
    assert (result.enqueued_at, result.run_after) == (noon, noon + timedelta(minutes=1))
    assert (result.started_at, result.finished_at, result.progress) == (None, None, None)
    assert repr(result) == f"<TaskResult {result.id} of sum: READY>"

    clock.advance(60)
    result.wait(PATIENCE)
    assert (result.started_at, result.finished_at) == (noon + timedelta(minutes=1),) * 2


def test_a_result_is_as_it_was_last_seen_until_it_is_refreshed(make_room, declare):
    room = make_room(start=False)
    result = declare(room, wait).enqueue()
    assert result.status is Status.READY
    room.start()
    stage.wait_for()
    assert result.status is Status.READY
    result.refresh()
    assert (result.status, result.attempts, result.is_finished) == (Status.RUNNING, 1, False)


class TestWithoutAReturnValue:
    def test_one_that_has_not_finished_says_so(self, room, declare):
        result = declare(room, wait).enqueue()
        with pytest.raises(NotSuccessful, match=r"has not finished: .* Use wait\(\), or refresh\(\)\."):
            assert result.return_value

    def test_one_that_failed_says_what_was_last_raised(self, room, declare):
        result = declare(room, break_down, max_attempts=1).enqueue("no route to host").wait(PATIENCE)
        assert result.status is Status.FAILED
        with pytest.raises(
            NotSuccessful, match=r"failed: builtins\.ValueError: no route to host\. See its `errors`\."
        ):
            assert result.return_value

    def test_one_that_was_cancelled_says_why(self, make_room, declare):
        room = make_room(start=False)
        result = declare(room, say).enqueue("never said")
        result.cancel("sold out")
        result.refresh()
        assert (result.status, result.note) == (Status.CANCELLED, "sold out")
        with pytest.raises(NotSuccessful, match=r"was cancelled: sold out\."):
            assert result.return_value


class TestErrors:
    def test_an_error_is_kept_as_text(self, make_room, declare, clock):
        room = make_room(clock=clock)
        result = declare(room, break_down, max_attempts=1).enqueue("no route to host").wait(PATIENCE)
        (error,) = result.errors
        assert (error.attempt, error.exception_class_path) == (1, "builtins.ValueError")
        assert error.message == "no route to host"
        assert error.at == clock.now()

    def test_its_traceback_is_that_of_the_tasks_own_frames(self, room, declare):
        result = declare(room, outer, max_attempts=1).enqueue().wait(PATIENCE)
        lines = result.errors[0].traceback.splitlines()
        assert lines[0] == "Traceback (most recent call last):"
        assert [line.rpartition(" in ")[2] for line in lines if line.startswith("  File")] == ["outer", "break_down"]
        assert lines[-1] == "ValueError: it broke"

    def test_so_it_is_when_a_timeout_ended_it(self, room, declare):
        result = declare(room, wait, max_attempts=1, timeout=0.02).enqueue().wait(PATIENCE)
        files = [line for line in result.errors[0].traceback.splitlines() if line.startswith("  File")]
        assert files[0].endswith("in wait")

    def test_its_class_is_named_by_its_path(self, room, declare):
        result = declare(room, lose_heart, max_attempts=1).enqueue().wait(PATIENCE)
        assert result.errors[0].exception_class_path == "test_results.Stage.Fright"


def outer():
    break_down()


class Stage:
    class Fright(Exception):
        pass


def lose_heart():
    raise Stage.Fright


class TestFinding:
    def test_a_result_is_found_by_its_id(self, room, declare):
        task = declare(room, add)
        results = [task.enqueue(number) for number in range(3)]
        for number, result in enumerate(results):
            assert room.get_result(result.id).wait(PATIENCE).return_value == number

    def test_one_that_has_finished_is_found_too(self, room, declare):
        result = declare(room, add).enqueue(1).wait(PATIENCE)
        found = room.get_result(result.id)
        assert (found.id, found.status, found.return_value) == (result.id, Status.SUCCESSFUL, 1)

    @pytest.mark.parametrize(
        "result_id",
        ["", "v", "12a", "-1", "1.0", " 1", "\u0661", "1" * 30, "9" * 19, str(1 << 63), "v" + "9" * 19, "abc", "vv1"],
    )
    def test_what_is_no_id_is_unknown(self, room, result_id):
        with pytest.raises(UnknownResult, match="is not the id of a result: use what `result.id` gave"):
            room.get_result(result_id)

    @pytest.mark.parametrize("result_id", [123, None, b"123"])
    def test_an_id_is_a_str(self, room, result_id):
        with pytest.raises(
            InvalidOption, match=r"^result_id=.* is of type .*, and not a str: use the str that `result"
        ):
            room.get_result(result_id)

    @pytest.mark.parametrize("result_id", ["1", "v1", str((1 << 63) - 1)])
    def test_an_id_that_was_never_given_is_unknown(self, room, result_id):
        with pytest.raises(UnknownResult, match=f"no job {result_id} is stored: it was pruned, or never was"):
            room.get_result(result_id)

    @durable
    def test_jobs_are_listed_newest_first_and_page_by_page(self, make_room, declare):
        room = make_room(start=False)
        task = declare(room, add)
        ids = [task.enqueue(number).id for number in range(5)]
        page = room.find(limit=3)
        assert [result.id for result in page] == ids[:1:-1]
        assert [result.id for result in room.find(before=page[-1])] == ids[1::-1]

    @durable
    def test_jobs_are_found_by_what_they_are(self, room, declare):
        sums, words = declare(room, add), declare(room, say, queue_name="words")
        one, other = sums.enqueue(1).wait(PATIENCE), words.using(run_after=60).enqueue("later")
        assert [result.id for result in room.find(task="acts.add")] == [one.id]
        assert [result.id for result in room.find(queue_name="words")] == [other.id]
        assert [result.id for result in room.find(status=Status.READY)] == [other.id]

    @durable
    def test_a_task_and_a_status_may_be_given_as_themselves_or_by_name_and_a_result_by_its_id(self, room, declare):
        sums, words = declare(room, add), declare(room, break_down, max_attempts=1)
        one, other = sums.enqueue(1).wait(PATIENCE), words.enqueue().wait(PATIENCE)
        for task in (sums, sums.using(priority=5), "acts.add"):
            assert [result.id for result in room.find(task=task)] == [one.id]
        for status in (Status.FAILED, "FAILED"):
            assert [result.id for result in room.find(status=status)] == [other.id]
        for before in (other, other.id):
            assert [result.id for result in room.find(before=before)] == [one.id]

    @durable
    @pytest.mark.parametrize(
        ("wanted", "message"),
        [
            (
                {"task": add},
                "^task=<function add .* is neither a task nor its name: write task=send_mail, or task='app",
            ),
            ({"task": ""}, "^task='' is not a name"),
            ({"status": "nonsense"}, "^status='nonsense' is not known: use one of Status.READY, .*, or its name"),
            ({"status": 5}, "^status=5 is not known"),
            ({"status": []}, r"^status=\[\] is not known"),
            ({"limit": -1}, "^limit=-1 is out of range: use a whole number from 1 to 1000000"),
            ({"limit": 0}, "^limit=0 is out of range"),
            ({"limit": None}, "^limit=None is out of range"),
            ({"limit": 1 << 64}, "^limit=.* is out of range"),
            ({"before": "x"}, r"^before='x' is neither a durable result nor its id: give .*before=results\[-1\]"),
            ({"before": 123}, "^before=123 is neither"),
            ({"before": str(1 << 63)}, "^before=.* is neither"),
            ({"queue_name": 5}, "^queue_name=5 is not a name"),
            ({"crashed": 1}, "^crashed=1 is neither True nor False"),
        ],
    )
    def test_what_nothing_can_be_is_refused(self, room, wanted, message):
        with pytest.raises(InvalidOption, match=message):
            room.find(**wanted)

    @volatile
    def test_a_volatile_result_has_no_place_among_the_durable_ones(self, room, declare):
        result = declare(room, add).enqueue(1).wait(PATIENCE)
        with pytest.raises(InvalidOption, match="^before=<TaskResult v.* is neither a durable result nor its id"):
            room.find(before=result)

    @durable
    def test_jobs_are_counted_by_status(self, room, declare):
        declare(room, add).enqueue(1).wait(PATIENCE)
        declare(room, break_down, max_attempts=1).enqueue().wait(PATIENCE)
        declare(room, say).using(run_after=60).enqueue("later")
        assert room.counts() == dict.fromkeys(Status, 0) | {
            Status.SUCCESSFUL: 1,
            Status.FAILED: 1,
            Status.READY: 1,
        }

    @volatile
    def test_volatile_jobs_are_not_among_the_durable_ones(self, room, declare):
        declare(room, add).enqueue(1).wait(PATIENCE)
        assert room.find() == []
        assert room.counts()[Status.SUCCESSFUL] == 0


class TestForgetting:
    @durable
    def test_a_result_is_pruned_when_its_time_is_over(self, make_room, declare, clock):
        room = make_room(clock=clock, retention=timedelta(days=3))
        task = declare(room, add)
        old = task.enqueue(1).wait(PATIENCE)
        clock.advance(timedelta(days=2))
        young, waiting = task.enqueue(2).wait(PATIENCE), task.using(run_after=timedelta(days=30)).enqueue(3)
        room.stop()
        clock.advance(timedelta(days=2))
        room.start()

        until(lambda: room.counts()[Status.SUCCESSFUL] == 1)
        with pytest.raises(UnknownResult):
            room.get_result(old.id)
        with pytest.raises(UnknownResult, match=f"no job {old.id} is stored: it was pruned"):
            old.refresh()
        assert old.return_value == 1  # as it was last seen
        assert room.get_result(young.id).return_value == 2
        assert room.get_result(waiting.id).status is Status.READY

    @volatile
    def test_volatile_results_that_nobody_asks_for_are_not_kept(self, room, declare):
        task = declare(room, add)
        for number in range(100):
            task.enqueue(number)
        until(room._backstage.lanes["greenlet"].is_empty)
        assert room._backstage.volatile.fleeting._asked_for == {}

    @volatile
    def test_of_those_asked_for_the_latest_are_kept(self, room, declare, monkeypatch):
        monkeypatch.setattr("greenroom._fleeting.KEEP", 5)
        task = declare(room, add)
        ids = [task.enqueue(number).wait(PATIENCE).id for number in range(8)]
        assert [room.get_result(result_id).return_value for result_id in ids[3:]] == [3, 4, 5, 6, 7]
        for result_id in ids[:3]:
            with pytest.raises(UnknownResult):
                room.get_result(result_id)


@pytest.mark.usefixtures("only_woken")
class TestWaiting:
    def test_whoever_waits_is_woken_when_it_finishes(self, room, declare):
        result = declare(room, wait).enqueue("done")
        waiting = gevent.spawn(result.wait, PATIENCE)
        stage.wait_for()
        stage.curtain.set()
        assert waiting.get(timeout=PATIENCE).return_value == "done"

    def test_so_is_whoever_has_found_it_by_its_id(self, room, declare):
        result = declare(room, wait).enqueue("done")
        waiting = gevent.spawn(room.get_result(result.id).wait, PATIENCE)
        stage.wait_for()
        stage.curtain.set()
        assert waiting.get(timeout=PATIENCE).return_value == "done"

    def test_the_store_is_not_asked_meanwhile(self, room, declare, monkeypatch):
        asked = []
        for store in (SqliteStore, MemoryStore):

            def counting(self, job_id, sound=store.get):
                asked.append(job_id)
                return sound(self, job_id)

            monkeypatch.setattr(store, "get", counting)
        result = declare(room, wait).enqueue()
        waiting = gevent.spawn(result.wait, PATIENCE)
        stage.wait_for()
        until(lambda: room._backstage.durable._waits or room._backstage.volatile._waits)
        gevent.sleep(0.05)
        before = len(asked)
        assert before <= 2
        stage.curtain.set()
        waiting.get(timeout=PATIENCE)
        assert len(asked) <= before + 1

    def test_several_are_woken_and_those_who_give_up_keep_none_from_it(self, room, declare):
        result = declare(room, wait).enqueue("done")
        found = [room.get_result(result.id) for _ in range(3)]
        stage.wait_for()
        patient = [gevent.spawn(each.wait, None) for each in (result, *found[:2])]
        gevent.idle()
        with pytest.raises(WaitTimeout):
            found[2].wait(0.02)
        killed = gevent.spawn(found[2].wait, None)
        gevent.idle()
        killed.kill(timeout=PATIENCE)
        stage.curtain.set()
        assert [each.get(timeout=PATIENCE).return_value for each in patient] == ["done"] * 3

    def test_nobody_is_remembered_who_does_not_wait_any_more(self, room, declare):
        result = declare(room, wait).enqueue()
        for _ in range(3):
            with pytest.raises(WaitTimeout):
                result.wait(0.01)
        waiting = gevent.spawn(result.wait, None)
        gevent.idle()
        waiting.kill(timeout=PATIENCE)
        assert [side._waits for side in room._backstage.sides] == [{}, {}]

    def test_native_threads_can_wait(self, room, declare):
        result = declare(room, wait).enqueue("done")
        waiting = [in_a_thread(result.wait, PATIENCE) for _ in range(3)]
        stage.wait_for()
        gevent.sleep(0.05)
        stage.curtain.set()
        assert [each.get(timeout=PATIENCE).return_value for each in waiting] == ["done"] * 3

    def test_native_threads_can_enqueue_and_wait(self, room, declare):
        task = declare(room, add)

        def sums():
            return [task.enqueue(number, 1).wait(PATIENCE).return_value for number in range(20)]

        threads = [in_a_thread(sums) for _ in range(4)]
        assert [thread.get(timeout=PATIENCE) for thread in threads] == [list(range(1, 21))] * 4

    def test_a_task_can_wait_for_another(self, room, declare):
        stage.task = declare(room, add)
        assert declare(room, delegate).enqueue(1, 2).wait(PATIENCE).return_value == 3

    def test_waiting_again_for_what_has_finished_takes_no_time(self, room, declare):
        result = declare(room, add).enqueue(1).wait(PATIENCE)
        room.stop(0)
        assert result.wait(0).return_value == 1

    def test_it_ends_in_time_and_says_what_to_do(self, room, declare):
        result = declare(room, wait).enqueue("done")
        stage.wait_for()
        with pytest.raises(
            WaitTimeout, match=r"did not finish within 0\.02 s: it goes on\. Wait again, or cancel it\."
        ):
            result.wait(0.02)
        assert result.status is Status.RUNNING
        stage.curtain.set()
        assert result.wait(PATIENCE).return_value == "done"

    @pytest.mark.parametrize("has_stopped", [False, True])
    def test_where_nobody_runs_tasks_it_says_so_and_how_they_are_run(self, make_room, declare, has_stopped):
        room = make_room(start=has_stopped)
        room.stop()
        result = declare(room, add).enqueue(1)
        with pytest.raises(
            WaitTimeout,
            match=r"READY> did not finish within 0\.01 s: it has not begun, and this process runs no tasks, for its "
            r"room is not started here\. Call room\.start\(\); a durable .* `greenroom serve`: docs/where-it-st",
        ):
            result.wait(0.01)

    def test_what_waits_for_its_time_in_a_room_that_runs_goes_on(self, room, declare):
        result = declare(room, add).using(run_after=3600).enqueue(1)
        with pytest.raises(WaitTimeout, match=r"it goes on\. Wait again, or cancel it\.$"):
            result.wait(0.01)

    @in_a_file
    def test_what_another_room_runs_goes_on(self, make_room, declare):
        here = make_room(start=False)
        result = declare(here, wait).enqueue("done")
        declare(make_room(), wait)
        stage.wait_for()
        with pytest.raises(WaitTimeout, match=r"RUNNING> .* it goes on\. Wait again, or cancel it\.$"):
            result.wait(0.01)

    def test_no_number_of_seconds_is_refused_whether_it_has_finished_or_not(self, room, declare):
        running, finished = declare(room, wait).enqueue(), declare(room, add).enqueue(1).wait(PATIENCE)
        for result in (running, finished):
            with pytest.raises(InvalidOption, match="^timeout='x' is not a number of seconds"):
                result.wait("x")

    @pytest.mark.parametrize("timeout", [0, -1])
    def test_no_time_is_a_look(self, room, declare, timeout):
        result = declare(room, wait).enqueue()
        with pytest.raises(WaitTimeout):
            result.wait(timeout)

    def test_a_job_that_was_refreshed_while_it_ran_is_seen_to_finish(self, room, declare):
        result = declare(room, wait_and_fail, max_attempts=1).enqueue()
        stage.wait_for()
        result.refresh()
        assert result.status is Status.RUNNING
        stage.curtain.set()
        until(lambda: room.get_result(result.id).is_finished)
        assert result.wait(PATIENCE).status is Status.FAILED

    def test_a_job_that_is_tried_again_is_waited_for_to_its_end(self, room, declare):
        task = declare(room, fail_once)
        result = task.enqueue()
        stage.wait_for()
        waiting = gevent.spawn(result.wait, PATIENCE)
        stage.curtain.set()
        assert waiting.get(timeout=PATIENCE).return_value == "in the end"
        assert result.attempts == 2


def delegate(a, b):
    return stage.task.enqueue(a, b).wait(PATIENCE).return_value


def wait_and_fail():
    wait()
    raise ValueError("after all that")


def fail_once():
    from greenroom import Retry

    wait()
    if len(stage.seen) == 1:
        raise Retry(after=0)
    return "in the end"


@in_a_file
def test_a_job_that_another_room_runs_is_looked_at_again(make_room, declare, monkeypatch):
    monkeypatch.setattr("greenroom._side._LOOK_AGAIN", 0.02)
    here, there = make_room(start=False), make_room(start=False)
    result = declare(here, add).enqueue(1, 2)
    declare(there, add)
    waiting = gevent.spawn(result.wait, PATIENCE)
    there.start()
    assert waiting.get(timeout=PATIENCE).return_value == 3


@in_a_file
def test_what_a_closed_room_knew_cannot_be_looked_at(make_room, declare):
    room = make_room(start=False)
    result = declare(room, add).enqueue(1)
    room.stop(0)
    with pytest.raises(StoreUnavailable, match="is not open"):
        result.refresh()
