"""A room is started and stopped, in any order; what runs is finished if there is time, and given back if not."""

import logging
import signal
from datetime import timedelta

import gevent
import pytest
from acts import PATIENCE, add, durable, in_a_file, say, stage, until, volatile, wait
from gevent.event import Event

from greenroom import InvalidOption, Status


@pytest.fixture
def little_grace(monkeypatch):
    """What does not end when it is told to is given up soon."""
    monkeypatch.setattr("greenroom._backstage._GRACE", 0.1)


@pytest.fixture
def look(make_room):
    """How a job is stored, as another room sees it."""

    def go(room, result):
        seen = (make_room(start=False) if room.url != "memory://" else room).get_result(result.id)
        return seen.status, seen.attempts, seen.errors

    return go


@in_a_file
class TestOpening:
    def test_nothing_is_opened_by_making_a_room_or_declaring_a_task(self, tmp_path, make_room, declare):
        declare(make_room(start=False), add)
        assert list(tmp_path.iterdir()) == []

    def test_looking_opens_it(self, tmp_path, make_room):
        make_room(start=False).counts()
        assert (tmp_path / "greenroom.db").exists()

    def test_stopping_what_was_never_opened_opens_nothing(self, tmp_path, make_room):
        make_room(start=False).stop()
        assert list(tmp_path.iterdir()) == []

    def test_stopping_leaves_no_worker_behind(self, tmp_path, room, declare):
        declare(room, add).enqueue(1).wait(PATIENCE)
        room.stop()
        assert list((tmp_path / "greenroom.db.workers").iterdir()) == []


@durable
def test_what_is_enqueued_before_the_start_runs_after_it(make_room, declare):
    room = make_room(start=False)
    result = declare(room, say).enqueue("at last")
    gevent.sleep(0.02)
    assert stage.seen == []
    assert room.is_started is False
    room.start()
    assert result.wait(PATIENCE).return_value == "at last"


@volatile
class TestVolatileJobsOfARoomThatIsNotStarted:
    def test_are_warned_of_once(self, make_room, declare, caplog):
        room = make_room(start=False)
        task = declare(room, say)
        results = [task.enqueue("at last"), *room.enqueue_many([task.prepare("too")]), task.enqueue("three")]
        told = [record.message for record in caplog.records if record.levelno >= logging.WARNING]
        assert len(told) == 1
        assert told[0].startswith(
            f"volatile job {results[0].id} of acts.say waits in memory, for the room is not started: it runs once "
            "room.start() is called in this process, and else is lost with it"
        )
        room.start()
        assert [result.wait(PATIENCE).return_value for result in results] == ["at last", "too", "three"]

    def test_are_no_matter_for_a_room_that_runs_or_drains(self, room, declare, caplog):
        stage.task = declare(room, say)
        room.enqueue_many([stage.task.prepare(1)])[0].wait(PATIENCE)
        stage.task.using(run_after=0.001).enqueue(2).wait(PATIENCE)
        declare(room, wait_and_enqueue).enqueue()
        stage.wait_for()
        stopping = gevent.spawn(room.stop, PATIENCE)
        until(lambda: room._backstage.volatile.runner.is_stopping)
        stage.curtain.set()
        stopping.get(timeout=PATIENCE)
        assert [record.message for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_started_twice_is_started_once(make_room, declare):
    room = make_room(lanes={"greenlet": 2})
    room.start()
    task = declare(room, wait)
    for _ in range(4):
        task.enqueue()
    stage.wait_for(2)
    gevent.sleep(0.02)
    assert stage.most_on_stage == 2
    assert room.is_started is True


def test_stopped_twice_is_stopped_once(room, declare):
    declare(room, add).enqueue(1).wait(PATIENCE)
    room.stop()
    room.stop()
    assert room.is_started is False


@pytest.mark.parametrize("start", [True, False])
def test_a_room_with_nothing_to_do_stops_at_once(make_room, declare, start):
    room = make_room(start=start)
    declare(room, say).using(run_after=3600).enqueue("another day")
    with gevent.Timeout(PATIENCE):
        room.stop(3600)


@pytest.mark.parametrize("drain", ["x", None, -1, timedelta(seconds=5)])
def test_no_number_of_seconds_to_drain_is_refused_and_the_room_goes_on(room, declare, drain):
    with pytest.raises(InvalidOption, match="^drain=.* is not a number of seconds, 0 or more"):
        room.stop(drain)
    assert declare(room, add).enqueue(1).wait(PATIENCE).return_value == 1


def test_a_stopped_room_can_be_started_again(room, declare):
    task = declare(room, add)
    for number in range(3):
        assert task.enqueue(number).wait(PATIENCE).return_value == number
        room.stop()
        room.start()
    assert task.enqueue(1, 2).wait(PATIENCE).return_value == 3


@durable
def test_a_stopped_room_can_still_be_asked_and_given_work(room, declare):
    task = declare(room, add)
    done = task.enqueue(1).wait(PATIENCE)
    room.stop()
    assert room.get_result(done.id).return_value == 1
    result = task.enqueue(2)
    room.start()
    assert room.get_result(result.id).wait(PATIENCE).return_value == 2


class TestDraining:
    def test_what_runs_is_finished(self, room, declare, look, kind):
        result = declare(room, wait).enqueue("done")
        stage.wait_for()
        gevent.spawn_later(0.02, stage.curtain.set)
        room.stop(PATIENCE)
        assert stage.seen == ["done"]
        if kind != "volatile":
            assert look(room, result) == (Status.SUCCESSFUL, 1, ())

    @durable
    def test_what_waits_does_not_begin(self, make_room, declare, look):
        room = make_room(lanes={"greenlet": 1})
        task = declare(room, wait)
        running, waiting = task.enqueue("first"), task.enqueue("second")
        stage.wait_for()
        gevent.spawn_later(0.02, stage.curtain.set)
        room.stop(PATIENCE)
        assert stage.seen == ["first"]
        assert look(room, running)[:2] == (Status.SUCCESSFUL, 1)
        assert look(room, waiting)[:2] == (Status.READY, 0)

    @volatile
    def test_what_waits_for_a_slot_and_is_stored_nowhere_is_run_first(self, make_room, declare):
        room = make_room(lanes={"greenlet": 1})
        task = declare(room, wait)
        for word in ("first", "second"):
            task.enqueue(word)
        task.using(priority=1).enqueue("third")
        stage.wait_for()
        gevent.spawn_later(0.02, stage.curtain.set)
        room.stop(PATIENCE)
        assert sorted(stage.seen) == ["first", "second", "third"]

    @volatile
    def test_what_is_lost_is_warned_of(self, room, declare, caplog):
        declare(room, say).using(run_after=3600).enqueue("never said")
        room.stop()
        assert "1 volatile jobs have not run, and are lost: the room stops." in caplog.messages

    @durable
    def test_what_does_not_end_in_time_is_given_back_at_no_cost(self, room, declare, look):
        result = declare(room, wait).enqueue()
        stage.wait_for()
        room.stop(0.05)
        assert look(room, result) == (Status.READY, 0, ())
        assert stage.on_stage == 0

        stage.curtain.set()
        room.start()
        assert room.get_result(result.id).wait(PATIENCE).attempts == 1

    @durable
    @pytest.mark.usefixtures("little_grace")
    def test_what_does_not_end_at_all_is_given_back_while_it_runs(self, room, declare, look, caplog):
        result = declare(room, cling).enqueue()
        stage.wait_for()
        room.stop(0)
        assert look(room, result) == (Status.READY, 0, ())
        assert f"task {result.task_name} (job {result.id}) does not end: given back while it runs" in caplog.messages
        stage.curtain.set()
        until(lambda: stage.seen == ["clung"])
        gevent.idle()
        assert look(room, result) == (Status.READY, 0, ())

    @durable
    @pytest.mark.usefixtures("little_grace")
    def test_what_was_cancelled_and_does_not_end_stays_cancelled(self, room, declare, look):
        result = declare(room, cling).enqueue()
        stage.wait_for()
        assert result.cancel("enough") is True
        room.stop(0)
        assert look(room, result)[0] is Status.CANCELLED

    def test_a_second_stop_with_less_patience_hurries_the_first(self, room, declare):
        declare(room, wait, durable=True).enqueue()
        stage.wait_for()
        patient = gevent.spawn(room.stop, 3600)
        gevent.sleep(0.02)
        assert not patient.ready()
        room.stop(0)
        patient.get(timeout=PATIENCE)
        assert room.is_started is False

    @durable
    def test_what_is_enqueued_meanwhile_is_kept_for_later(self, room, declare, look):
        stage.task = declare(room, say)
        declare(room, wait_and_enqueue).enqueue()
        stage.wait_for()
        gevent.spawn_later(0.02, stage.curtain.set)
        room.stop(PATIENCE)
        assert look(room, stage.result)[:2] == (Status.READY, 0)

    @durable
    @pytest.mark.usefixtures("little_grace")
    def test_a_task_may_stop_the_room(self, room, declare, look):
        result = declare(room, stop_the_room).enqueue()
        until(lambda: stage.seen)
        assert look(room, result)[0] is Status.READY

    def test_whoever_waits_meanwhile_hears_of_the_end(self, room, declare):
        result = declare(room, wait).enqueue("done")
        stage.wait_for()
        waiting = gevent.spawn(result.wait, PATIENCE)
        stopping = gevent.spawn(room.stop, PATIENCE)
        gevent.sleep(0.01)
        stage.curtain.set()
        assert waiting.get(timeout=PATIENCE).return_value == "done"
        stopping.get(timeout=PATIENCE)


def cling():
    curtain, seen = stage.curtain, stage.seen  # those of its own test, which it may outlast
    stage.entered.put(None)
    while not curtain.is_set():
        try:
            curtain.wait()
        except BaseException:  # noqa: BLE001 - stubbornly
            continue
    seen.append("clung")


def wait_and_enqueue():
    wait()
    stage.result = stage.task.enqueue("later")


def stop_the_room():
    stage.room.stop(0)
    stage.seen.append("stopped")


class TestCtrlC:
    """A real one is tested in test_interrupt.py."""

    @pytest.fixture(autouse=True)
    def _python_has_its_handler(self):
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        yield
        signal.signal(signal.SIGINT, before)

    def test_the_handler_is_given_back(self, room):
        assert signal.getsignal(signal.SIGINT) is not signal.default_int_handler
        room.stop()
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler

    def test_so_it_is_by_another_greenlet(self, make_room):
        room = make_room(start=False)
        gevent.spawn(room.start).get(timeout=PATIENCE)
        assert signal.getsignal(signal.SIGINT) is not signal.default_int_handler
        gevent.spawn(room.stop).get(timeout=PATIENCE)
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler

    def test_it_is_kept_until_the_last_room_has_stopped(self, make_room):
        rooms = [make_room(url="memory://") for _ in range(2)]
        rooms[0].stop()
        assert signal.getsignal(signal.SIGINT) is not signal.default_int_handler
        rooms[1].stop()
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler

    def test_a_handler_of_the_apps_own_is_left_alone(self, make_room):
        def mine(*args):
            pass

        signal.signal(signal.SIGINT, mine)
        room = make_room()
        assert signal.getsignal(signal.SIGINT) is mine
        room.stop()
        assert signal.getsignal(signal.SIGINT) is mine


def test_starting_unpatched_is_warned_of(make_room, monkeypatch, caplog):
    monkeypatch.setattr("gevent.monkey.is_module_patched", {}.get)
    with caplog.at_level(logging.WARNING):
        make_room(url="memory://")
    assert "the standard library is not patched" in caplog.messages[0]


def test_a_room_in_good_health_says_nothing(room):
    Event().wait(0.01)
    assert room.trouble() is None
