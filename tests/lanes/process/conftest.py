"""Rooms with a process lane, closed again after each test."""

import time

import pytest
from gevent import Timeout
from labours import PATIENCE

from greenroom import Greenroom, Processes
from greenroom._native import sleep, start_thread


@pytest.fixture(autouse=True)
def _no_test_waits_for_ever():
    with Timeout(60):
        yield


@pytest.fixture(params=["sqlite", "volatile"])
def kind(request):
    return request.param


@pytest.fixture
def make_room(tmp_path):
    """Makes started rooms; the options are those of Processes."""
    made = []

    def make(**options):
        room = Greenroom(f"sqlite:///{tmp_path}/greenroom.db", lanes={"process": Processes(**{"size": 2, **options})})
        made.append(room)
        room.start()
        return room

    yield make
    for room in made:
        room.stop(0)


@pytest.fixture
def room(make_room):
    return make_room()


@pytest.fixture
def declare(kind):
    def make_task(room, func, **options):
        defaults = {"durable": kind != "volatile", "lane": "process", "max_attempts": 1}
        return room.task(**defaults | options)(func)

    return make_task


@pytest.fixture
def run(room, declare):
    """Run a function once as a task in a process, and give its result."""

    def run_it(func, *args, **options):
        return declare(room, func, **options).enqueue(*args).wait(PATIENCE)

    return run_it


class Stopwatch:
    """A clock, but that it stands still while a busy machine does not let this process run.

    It goes in a native thread: while something holds the hub, it goes on.
    """

    BEAT = 0.01  # seconds

    def __init__(self):
        self._is_over = False
        self.start()
        start_thread(self._beat)

    def start(self):
        self.seconds = 0.0

    def stop(self):
        self._is_over = True

    def _beat(self):
        last = time.monotonic()
        while not self._is_over:
            sleep(self.BEAT)
            now = time.monotonic()
            self.seconds += min(now - last, 2 * self.BEAT)
            last = now


@pytest.fixture
def stopwatch():
    watch = Stopwatch()
    yield watch
    watch.stop()
