"""What Python, or a module of it, keeps for a thread: a task that is put aside does not spoil it for others."""

import logging
import time
from collections import ChainMap
from contextlib import suppress
from dataclasses import dataclass

import gevent
import pytest
from gevent import get_hub
from loads import PATIENCE

from greenroom import Status


@dataclass
class Point:
    x: int
    y: str


SHARED = [
    [Point(number, "here") for number in range(300)],
    ChainMap({number: Point(number, "") for number in range(300)}),
]


@pytest.mark.parametrize("shared", SHARED, ids=lambda it: type(it).__name__)
def test_what_several_tasks_show_at_once_is_shown_whole(room, shared):
    whole = repr(shared)

    def show():
        ends, wrong = time.monotonic() + 0.5, 0
        while time.monotonic() < ends:
            wrong += repr(shared) != whole
        return wrong

    before = room.preemption().count
    calls = [room.spawn(show) for _ in range(3)]
    while not calls[-1].wait(0):
        assert repr(shared) == whole
        gevent.sleep(0.001)
    assert [call.get(PATIENCE) for call in calls] == [0, 0, 0]
    assert room.preemption().count > before + 10


def test_a_list_within_itself_is_still_shown_as_such(room):
    def show():
        shown = [Point(number, "here") for number in range(300)]
        shown.append(shown)
        ends = time.monotonic() + 0.2
        while time.monotonic() < ends:
            assert repr(shown).endswith(", [...]]")

    for call in [room.spawn(show) for _ in range(2)]:
        call.get(PATIENCE)


@pytest.fixture
def slow_log():
    """A log that takes a while to write a line."""

    class Slow(logging.Handler):
        def emit(self, record):
            sum(range(3000))
            for _ in range(3000):
                pass

    log = logging.getLogger("slow")
    log.propagate, log.level = False, logging.INFO
    log.addHandler(Slow())
    yield log
    log.handlers.clear()


def test_a_task_that_logs_does_not_keep_the_hub_from_it(room, slow_log):
    def talk():
        ends = time.monotonic() + 0.5
        while time.monotonic() < ends:
            slow_log.info("here")
            for _ in range(5000):
                pass

    def tell():
        try:
            slow_log.info("the hub")
            told.append(None)
        except BaseException as error:  # noqa: BLE001  (the hub would print it, and go on)
            told.append(error)

    told = []
    calls = [room.spawn(talk) for _ in range(3)]
    while not calls[-1].wait(0):
        get_hub().loop.run_callback(tell)
        gevent.sleep(0.002)
    assert len(told) > 10
    assert set(told) == {None}


def test_what_does_not_end_is_given_up_though_the_log_cannot_be_written_just_now(room, caplog):
    task = room.task(durable=False, max_attempts=1, timeout=0.1)(stay)
    writing = gevent.spawn(hold, caplog.handler, 3.5)
    gevent.sleep(0)
    result = task.enqueue(time.monotonic() + 6)
    assert result.wait(5).status is Status.FAILED
    assert not writing.dead, "and the log was not to be had all the while"
    writing.join()
    gevent.sleep(0.05)
    assert "is stuck, and its slot is given to others" in caplog.text


def hold(handler, seconds):
    """Keep others from a handler of the log, as one that writes to the network does."""
    with handler.lock:
        gevent.sleep(seconds)


def stay(ends):
    while time.monotonic() < ends:
        with suppress(BaseException):
            gevent.sleep(PATIENCE)


def test_tempfile_has_taken_its_locks_before_a_task_could_be_put_aside_with_one(run_alone):
    done = run_alone("""
        import tempfile
        from gevent import monkey
        monkey.patch_all()
        from greenroom import Greenroom
        print(tempfile.tempdir is None, tempfile._name_sequence is None)
        room = Greenroom("memory://")
        room.start()
        print(tempfile.tempdir is None, tempfile._name_sequence is None)
        room.stop(0)
    """)
    assert done.stdout.split() == ["True", "True", "False", "False"]
