"""What does not end when it should is told twice and then given up, and its slot is given to others."""

import time

import gevent
import pytest
from loads import PATIENCE, add, compute_and_swallow, compute_for_ever, scene, until, wait_and_swallow

from greenroom import Status

ALWAYS = 1_000_000


def declared(room, func, **options):
    return room.task(**{"timeout": 0.1, "max_attempts": 1, "durable": True, **options})(func)


def is_never_gone_on_with():
    steps = scene.steps
    gevent.sleep(0.1)
    return scene.steps == steps


@pytest.fixture(autouse=True)
def _have_little_grace(monkeypatch):
    for module in ("_ending", "_attempt"):
        monkeypatch.setattr(f"greenroom.{module}.GRACE", 0.2)


@pytest.fixture
def narrow(make_room):
    """A room with one slot, so that whoever has it keeps all others out."""
    return make_room(lanes={"greenlet": 1})


class TestAnEndlessLoop:
    def test_is_ended_by_its_timeout(self, narrow):
        began = time.perf_counter()
        result = declared(narrow, compute_for_ever, timeout=0.5).enqueue().wait(PATIENCE)
        assert 0.5 <= time.perf_counter() - began < 10
        assert result.status is Status.FAILED
        assert result.errors[0].exception_class_path == "builtins.TimeoutError"
        assert result.errors[0].message == "task loads.compute_for_ever ran longer than its timeout of 0.5 s"
        assert is_never_gone_on_with()

    def test_says_where_it_was(self, narrow):
        result = declared(narrow, compute_for_ever).enqueue().wait(PATIENCE)
        assert "scene.steps += 1" in result.errors[0].traceback or "while not" in result.errors[0].traceback

    def test_is_ended_when_it_is_cancelled(self, narrow):
        result = declared(narrow, compute_for_ever, timeout=None).enqueue()
        until(lambda: scene.steps)
        assert result.cancel("enough") is True
        assert result.wait(PATIENCE).note == "enough"
        assert is_never_gone_on_with()

    def test_is_ended_when_the_room_stops_and_is_given_back(self, narrow):
        result = declared(narrow, compute_for_ever, timeout=None, durable=False).enqueue()
        until(lambda: scene.steps)
        narrow.stop(0)
        assert result.status is not Status.SUCCESSFUL
        assert is_never_gone_on_with()


@pytest.mark.slow
@pytest.mark.parametrize("func", [compute_and_swallow, wait_and_swallow])
class TestATaskThatSwallowsWhatItIsTold:
    def test_once_is_told_again(self, narrow, func):
        result = declared(narrow, func).enqueue(1).wait(PATIENCE)
        assert scene.caught == 2
        assert result.errors[0].message == f"task loads.{func.__name__} ran longer than its timeout of 0.1 s"

    def test_always_is_given_up(self, narrow, func, caplog):
        result = declared(narrow, func).enqueue(ALWAYS).wait(PATIENCE)
        assert scene.caught == 2
        assert result.status is Status.FAILED
        assert result.errors[0].exception_class_path == "builtins.TimeoutError"
        assert result.errors[0].message == (
            f"task loads.{func.__name__} ran longer than its timeout of 0.1 s, and did not end when it was told to"
        )
        (said,) = [line for line in caplog.messages if "does not end" in line]
        assert f"task loads.{func.__name__} (job {result.id}) does not end" in said
        assert "its slot is given to others. It is here:\n" in said
        assert f"in {func.__name__}" in said

    def test_makes_room_for_others(self, narrow, func):
        declared(narrow, func).enqueue(ALWAYS)
        assert declared(narrow, add).enqueue(1, 2).wait(PATIENCE).return_value == 3
        assert narrow._backstage.lanes["greenlet"].running == 0

    def test_is_cancelled_all_the_same(self, narrow, func):
        result = declared(narrow, func, timeout=None).enqueue(ALWAYS)
        gevent.sleep(0.05)
        result.cancel("enough")
        gevent.sleep(0.15)
        result.cancel("more than enough")  # does not begin anew, with a time of its own
        assert result.wait(PATIENCE).status is Status.CANCELLED
        assert scene.caught == 2

    def test_does_not_keep_the_room_from_stopping(self, narrow, func, caplog):
        declared(narrow, func, timeout=None).enqueue(ALWAYS)
        gevent.sleep(0.05)
        narrow.stop(0)
        assert scene.caught == 2
        assert is_never_gone_on_with()


@pytest.mark.slow
def test_what_computes_for_ever_is_given_up_and_stays_where_it_is(narrow):
    declared(narrow, compute_and_swallow).enqueue(ALWAYS).wait(PATIENCE)
    assert is_never_gone_on_with()


@pytest.mark.slow
def test_what_was_given_up_while_it_waited_may_end_later_and_disturbs_nobody(narrow, caplog):
    result = declared(narrow, wait_and_swallow).enqueue(ALWAYS).wait(PATIENCE)
    logged = len(caplog.records)
    scene.is_over = True
    scene.curtain.set()
    gevent.sleep(0.05)
    assert len(caplog.records) == logged
    assert narrow._backstage.lanes["greenlet"].running == 0
    assert declared(narrow, add).enqueue(1, 2).wait(PATIENCE).return_value == 3
    result.refresh()
    assert result.status is Status.FAILED


@pytest.mark.slow
@pytest.mark.integration
def test_a_process_ends_though_things_compute_on_in_it(run_alone):
    done = run_alone("""
        from gevent import monkey; monkey.patch_all()
        import gc
        import gevent
        from greenroom import Greenroom

        room = Greenroom("memory://")

        def for_ever():
            while True:
                try:
                    n = 1
                    while True:
                        n += 1
                except BaseException:
                    pass

        room.start()
        room.task(for_ever).enqueue()
        room.spawn(for_ever)
        gevent.sleep(0.1)
        room.stop(0)
        print("stopped")
        del room
        gc.collect()
        gevent.sleep(0.1)
        print("others go on")
        """)
    assert done.stdout.split("\n")[:2] == ["stopped", "others go on"], done.stderr
    assert done.returncode == 0
    assert "does not end (it was told to end): it is stuck" in done.stderr
