"""The founding text's verbs: any callable, in the background, and nothing is stored."""

import time
from contextvars import ContextVar
from datetime import UTC, datetime, timedelta
from functools import partial

import gevent
import pytest
from acts import PATIENCE, add, in_a_file, say, stage, until, wait
from gevent.event import Event

from greenroom import InvalidArguments, InvalidOption, NotRunning, NotSuccessful, WaitTimeout, request_id

pytestmark = in_a_file

here = ContextVar("here", default="nothing")


def fail(message="it broke"):
    raise ValueError(message)


def test_what_a_call_returns_can_be_had(room):
    call = room.spawn(add, 1, b=2)
    assert call.get(PATIENCE) == 3
    assert (call.is_finished, call.return_value, call.exception) == (True, 3, None)


@pytest.mark.parametrize("function", [lambda: 5, partial(add, 2, 3), [1, 2, 3, 4, 5].__len__, partial(int, "5")])
def test_any_callable_will_do(room, function):
    assert room.spawn(function).get(PATIENCE) == 5


def test_what_a_call_has_returned_already_is_refused(room):
    with pytest.raises(
        InvalidArguments,
        match=r"^room\.spawn\(\) cannot call 3: it is of type int\. spawn takes the function and its arguments apart",
    ):
        room.spawn(add(1, 2))
    with pytest.raises(InvalidArguments, match=r"cannot call None: .* apart: room\.spawn_later\(60, f, 1\)\.$"):
        room.spawn_later(60, say(1) and None)


def test_nothing_is_stored(room):
    room.spawn(add, 1).get(PATIENCE)
    assert set(room.counts().values()) == {0}


def test_what_a_call_raises_is_raised_for_whoever_asks(room):
    call = room.spawn(fail, "no such city")
    with pytest.raises(ValueError, match="no such city"):
        call.get(PATIENCE)
    assert isinstance(call.exception, ValueError)
    with pytest.raises(NotSuccessful, match="<Call fail> raised ValueError") as raised:
        assert call.return_value
    assert raised.value.__cause__ is call.exception


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt, gevent.GreenletExit, gevent.Timeout, BaseException])
def test_what_would_end_a_process_or_a_greenlet_is_raised_for_whoever_asks(room, error):
    def leave():
        raise error

    with pytest.raises(error):
        room.spawn(leave).get(PATIENCE)
    assert room.spawn(add, 1).get(PATIENCE) == 1


def test_what_nobody_waits_for_is_logged(room, caplog):
    room.spawn(fail)
    until(lambda: caplog.records)
    (record,) = caplog.records
    assert record.getMessage() == "<Call fail> raised, and nobody waits for it"
    assert isinstance(record.exc_info[1], ValueError)


def test_what_somebody_waits_for_is_not_logged(room, caplog):
    call = room.spawn(fail)
    with pytest.raises(ValueError, match="it broke"):
        call.get(PATIENCE)
    assert caplog.records == []


def test_waiting_ends_in_time_and_the_call_goes_on(room):
    call = room.spawn(wait, "done")
    stage.wait_for()
    assert call.wait(0.01) is False
    with pytest.raises(WaitTimeout, match=r"<Call wait> did not finish within 0\.01 s: it goes on"):
        call.get(0.01)
    with pytest.raises(NotSuccessful, match=r"has not finished: .* Use get\(\)"):
        assert call.return_value
    stage.curtain.set()
    assert call.wait(PATIENCE) is True
    assert call.get() == "done"


def test_no_number_of_seconds_is_refused(room):
    call = room.spawn(add, 1)
    call.get(PATIENCE)
    for wait_for_it in (call.get, call.wait):
        with pytest.raises(InvalidOption, match="^timeout='x' is not a number of seconds"):
            wait_for_it("x")


def test_several_can_wait_in_greenlets_and_in_threads(room):
    call = room.spawn(wait, "done")
    waiting = [gevent.spawn(call.get, PATIENCE) for _ in range(3)]
    threads = [gevent.get_hub().threadpool.spawn(call.get, PATIENCE) for _ in range(3)]
    stage.wait_for()
    gevent.sleep(0.02)
    stage.curtain.set()
    assert [each.get(timeout=PATIENCE) for each in (*waiting, *threads)] == ["done"] * 6


def test_threads_can_spawn(room):
    def spawn_many():
        calls = [room.spawn(add, number) for number in range(100)]
        return [call.get(PATIENCE) for call in calls]

    threads = [gevent.get_hub().threadpool.spawn(spawn_many) for _ in range(4)]
    assert [thread.get(timeout=PATIENCE) for thread in threads] == [list(range(100))] * 4


def test_the_context_is_copied(room):
    here.set("the request's")
    request_id.set("7f3a")

    def look_and_change():
        found = here.get(), request_id.get()
        here.set("the call's")
        return found

    call = room.spawn(look_and_change)
    here.set("changed since")
    assert call.get(PATIENCE) == ("the request's", "7f3a")
    assert here.get() == "changed since"
    request_id.set(None)


def test_a_call_runs_in_a_room_that_is_not_started(make_room):
    room = make_room(start=False)
    assert room.spawn(add, 1).get(PATIENCE) == 1


class TestLater:
    @pytest.mark.parametrize(
        "seconds",
        [0.05, timedelta(milliseconds=50), lambda: datetime.now(UTC) + timedelta(milliseconds=50)],
        ids=["seconds", "timedelta", "datetime"],
    )
    def test_a_call_runs_after_that_time(self, room, seconds):
        asked = time.monotonic()
        room.spawn_later(seconds() if callable(seconds) else seconds, say, "later").get(PATIENCE)
        assert time.monotonic() - asked > 0.045

    def test_a_moment_that_has_passed_is_now(self, room):
        assert room.spawn_later(datetime(2020, 1, 1, tzinfo=UTC), add, 1).get(PATIENCE) == 1

    def test_the_earlier_runs_first(self, room):
        calls = [room.spawn_later(delay, say, delay) for delay in (0.06, 0.02, 0.04)]
        for call in calls:
            call.get(PATIENCE)
        assert stage.seen == [0.02, 0.04, 0.06]

    def test_a_thread_can_ask_for_it(self, room):
        call = gevent.get_hub().threadpool.spawn(room.spawn_later, 0.01, add, 1).get(timeout=PATIENCE)
        assert call.get(PATIENCE) == 1

    @pytest.mark.parametrize("seconds", [-1, float("nan"), float("inf"), None, "5", True, datetime(2030, 1, 1)])  # noqa: DTZ001
    def test_a_time_that_makes_no_sense_is_refused(self, room, seconds):
        with pytest.raises(InvalidOption, match="^seconds="):
            room.spawn_later(seconds, add, 1)


class TestStopping:
    def test_a_call_that_runs_is_waited_for(self, make_room):
        room = make_room()
        call = room.spawn(wait, "done")
        stage.wait_for()
        gevent.spawn_later(0.02, stage.curtain.set)
        room.stop(PATIENCE)
        assert call.return_value == "done"

    def test_a_call_that_has_not_begun_is_given_up_and_said_so(self, make_room, caplog):
        room = make_room(lanes={"greenlet": 1})
        running = room.spawn(wait, "done")
        stage.wait_for()
        waiting = room.spawn(say, "never said")
        gevent.spawn_later(0.02, stage.curtain.set)
        room.stop(0)
        with pytest.raises(NotRunning, match="was still waiting when the room stopped, and was given up"):
            waiting.get(PATIENCE)
        assert running.get(PATIENCE) == "done"
        assert "never said" not in stage.seen
        assert "<Call say> has not begun, and is given up: the room stops." in caplog.messages

    def test_a_call_for_later_is_given_up_and_said_so(self, make_room, caplog):
        room = make_room()
        call = room.spawn_later(3600, say, "never said")
        with gevent.Timeout(PATIENCE):
            room.stop()
        with pytest.raises(NotRunning, match="was still waiting when the room stopped"):
            call.get(PATIENCE)
        assert caplog.messages[0] == (
            "<Call say> was to run later, and is given up: the room stops. Use a durable task for it."
        )


def begin_and_compute(turns):
    turns.append("task")  # not as it ends: what was put aside does as soon as it goes on, if its time is over
    ends = time.perf_counter() + 0.002
    while time.perf_counter() < ends:
        pass


@pytest.mark.parametrize("preempt", [True, False])
def test_a_hundred_that_compute_let_others_have_a_turn(room, preempt):
    """A hundred starts in a row would be a hundred first slices in a row, and every request would wait for all."""
    turns = []
    task = room.task(begin_and_compute, durable=False, preempt=preempt)
    results = [task.enqueue(turns) for _ in range(20)]
    is_over = Event()

    def breathe():
        while not is_over.is_set():
            turns.append("other")
            gevent.sleep(0.0001)

    other = gevent.spawn(breathe)
    for result in results:
        result.wait(PATIENCE)
    is_over.set()
    other.join()
    longest = max(len(run) for run in "".join("t" if turn == "task" else " " for turn in turns).split())
    assert longest <= 6
