"""Whatever a task raises, its job ends, its slot is free again, and the server lives."""

import logging
import traceback

import gevent
import pytest
from acts import PATIENCE, durable, say, stage, until, wait

from greenroom import Backoff, Cancel, Status, constant


class Fatal(BaseException):
    pass


class Secretive(Exception):
    def __str__(self):
        raise RuntimeError("not even my name")


class Drastic(Exception):
    def __str__(self):
        raise SystemExit("not even my name")


class Unlovely(Exception):
    def __repr__(self):
        raise ValueError("no repr")


def raise_it():
    raise stage.error


def recurse():
    recurse()


def nest(depth):
    error = ValueError("the innermost")
    for number in range(depth):
        error = ExceptionGroup(f"level {number}", [error, OSError("a leaf")])
    raise error


def go_round():
    error, other = ValueError("the chicken"), ValueError("the egg")
    error.__cause__, other.__cause__ = other, error
    error.__context__, other.__context__ = other, error
    raise error


def chain(length):
    error = ValueError(0)
    for number in range(length):
        later = ValueError(number)
        later.__cause__ = error
        error = later
    raise error


def run(room, declare, func, *args, **options):
    task = declare(room, func, **{"max_attempts": 1, "backoff": constant(0), **options})
    return task.enqueue(*args).wait(PATIENCE)


@pytest.fixture
def room(make_room):
    """A room with one slot: who loses it is noticed."""
    return make_room(lanes={"greenlet": 1})


@pytest.fixture(autouse=True)
def _the_slot_is_free_again(room, declare):
    yield
    assert declare(room, say, name="the next").enqueue("please").wait(PATIENCE).return_value == "please"
    assert room.trouble() is None


@pytest.mark.parametrize(
    "error",
    [
        SystemExit(3),
        SystemExit,
        KeyboardInterrupt,
        gevent.GreenletExit,
        GeneratorExit,
        gevent.Timeout(5),
        Fatal("of my own"),
        MemoryError("no room"),
        BaseExceptionGroup("all at once", [KeyboardInterrupt(), SystemExit()]),
    ],
    ids=repr,
)
@pytest.mark.parametrize("max_attempts", [1, 3])
def test_it_fails_by_what_would_end_a_process_or_a_greenlet(room, declare, error, max_attempts):
    stage.error = error
    result = run(room, declare, raise_it, max_attempts=max_attempts)
    kind = error if isinstance(error, type) else type(error)
    assert result.status is Status.FAILED
    assert result.errors[0].exception_class_path == f"{kind.__module__}.{kind.__qualname__}"
    assert result.attempts == (max_attempts if issubclass(kind, Exception) else 1)


def test_it_is_ended_by_its_own_timeout_like_by_any_other_error(room, declare):
    result = run(room, declare, wait_a_little)
    assert result.status is Status.FAILED
    assert result.errors[0].exception_class_path == "gevent.timeout.Timeout"


def wait_a_little():
    with gevent.Timeout(0.01):
        wait()


def test_a_timeout_of_its_own_that_it_catches_is_its_own_affair(room, declare):
    assert run(room, declare, wait_and_go_on).return_value == "went on"


def wait_and_go_on():
    with gevent.Timeout(0.01, False):
        wait()
    return "went on"


def test_it_may_recurse_without_end(room, declare):
    result = run(room, declare, recurse)
    assert result.errors[0].exception_class_path == "builtins.RecursionError"


@pytest.mark.parametrize("kind_of_error", [Secretive, Drastic])
def test_an_error_that_cannot_say_what_it_is_is_named_by_its_class(room, declare, kind_of_error):
    stage.error = kind_of_error("secret")
    result = run(room, declare, raise_it)
    assert result.status is Status.FAILED
    assert result.errors[0].message == f"<{kind_of_error.__name__} whose str() raises>"
    assert "in raise_it" in result.errors[0].traceback


def test_an_error_whose_repr_raises_is_no_trouble(room, declare):
    stage.error = Unlovely("but a str")
    assert run(room, declare, raise_it).errors[0].message == "but a str"


def test_an_error_that_breaks_the_traceback_module_is_still_told(room, declare, monkeypatch):
    monkeypatch.setattr(logging.getLogger("greenroom"), "disabled", True)  # pytest's own handler would break too
    stage.error = SyntaxError("odd", ("file", 1, 1, 5))
    with pytest.raises((AttributeError, TypeError)):
        traceback.format_exception(stage.error)
    result = run(room, declare, raise_it)
    assert result.status is Status.FAILED
    assert result.errors[0].traceback == "<SyntaxError whose traceback cannot be shown>"


def test_of_a_huge_message_the_start_and_the_end_are_kept(room, declare):
    stage.error = ValueError("the start" + "x" * 10_000_000 + "the end")
    error = run(room, declare, raise_it).errors[0]
    assert error.message.startswith("the start")
    assert error.message.endswith("the end")
    assert "characters left out" in error.message
    assert len(error.message) < 1100
    assert len(error.traceback) < 20_100


@pytest.mark.parametrize("text", ["\ud800 and \udfff", "nul \0 is kept", "🎭 ünï", "", "\n" * 5])
def test_any_text_can_be_a_message(room, declare, text):
    stage.error = ValueError(text)
    error = run(room, declare, raise_it).errors[0]
    assert error.message == text.encode("utf-8", "backslashreplace").decode()
    assert "ValueError" in error.traceback


def test_a_group_of_errors_is_shown_with_its_members(room, declare):
    stage.error = ExceptionGroup("two of them", [ValueError("the one"), OSError("the other")])
    error = run(room, declare, raise_it).errors[0]
    assert error.exception_class_path == "builtins.ExceptionGroup"
    assert "the one" in error.traceback
    assert "the other" in error.traceback


def test_errors_may_be_their_own_cause(room, declare):
    error = run(room, declare, go_round).errors[0]
    assert error.message == "the chicken"
    assert "the egg" in error.traceback


@pytest.mark.parametrize(("func", "depth"), [(nest, 300), (chain, 3000)])
def test_errors_may_be_nested_as_deep_as_they_like(room, declare, func, depth):
    result = run(room, declare, func, depth)
    assert result.status is Status.FAILED
    assert result.errors[0].traceback


def return_what_cannot_be_stored():
    stage.seen.append("called")
    return {"rows": [1, object()]}


@durable
def test_a_result_that_cannot_be_stored_fails_with_the_reason_and_is_not_tried_again(room, declare):
    result = run(room, declare, return_what_cannot_be_stored, max_attempts=5)
    assert (result.status, result.attempts) == (Status.FAILED, 1)
    (error,) = result.errors
    assert error.exception_class_path == "greenroom.errors.InvalidPayload"
    assert "result['rows'][1]" in error.message
    assert stage.seen == ["called"]


@durable
def test_a_result_larger_than_the_room_stores_fails_with_the_reason(make_room, declare):
    room = make_room(max_payload=1000)
    result = run(room, declare, say_much, max_attempts=5)
    assert (result.status, result.attempts) == (Status.FAILED, 1)
    assert "result cannot be stored" in result.errors[0].message
    assert "1,000" in result.errors[0].message


def say_much():
    return "x" * 2000


class Moody(Backoff):
    """A backoff of the app's own."""

    def wait(self, attempt, draw=None):
        raise ZeroDivisionError("how long?")


class Endless(Backoff):
    def wait(self, attempt, draw=None):
        return float("nan")


@pytest.mark.parametrize("backoff", [Moody(first=1), Endless(first=1)])
def test_a_backoff_that_makes_no_sense_fails_the_job(room, declare, backoff):
    stage.error = OSError("at first")
    result = run(room, declare, raise_it, max_attempts=3, backoff=backoff)
    assert result.status is Status.FAILED
    assert result.errors[0].exception_class_path in ("builtins.ZeroDivisionError", "builtins.ValueError")


class TestLogging:
    def lines(self, caplog, level):
        return [record.getMessage() for record in caplog.records if record.levelname == level]

    def test_a_task_that_failed_is_logged_with_its_error(self, room, declare, caplog):
        stage.error = ValueError("no such address")
        result = run(room, declare, raise_it)
        (line,) = self.lines(caplog, "ERROR")
        assert line == f"task test_what_a_task_raises.raise_it (job {result.id.removeprefix('v')}) failed"
        assert caplog.records[-1].exc_info[1] is stage.error

    def test_so_is_one_whose_result_nobody_asks_for(self, room, declare, caplog):
        stage.error = ValueError("no such address")
        declare(room, raise_it, max_attempts=1).enqueue()
        until(lambda: self.lines(caplog, "ERROR"))

    def test_one_that_is_tried_again_is_a_warning_until_its_last_attempt(self, room, declare, caplog):
        stage.error = OSError("no route to host")
        run(room, declare, raise_it, max_attempts=3)
        warnings = self.lines(caplog, "WARNING")
        assert len(warnings) == 2
        assert "went wrong in attempt 1, and is tried again: builtins.OSError: no route to host" in warnings[0]
        assert len(self.lines(caplog, "ERROR")) == 1

    def test_a_verdict_is_no_trouble(self, room, declare, caplog):
        stage.error = Cancel("sold out")
        run(room, declare, raise_it)
        assert caplog.records == []
