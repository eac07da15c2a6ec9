"""Rooms with a process lane, closed again after each test."""

import gevent
import pytest
from gevent import Timeout
from labours import PATIENCE

from greenroom import Greenroom, Processes


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
    """Goes as fast as this process gets to run: what a busy machine holds up by half a second is not late by that."""

    BEAT = 0.01  # seconds

    def __init__(self):
        self._greenlet = gevent.spawn(self._beat)
        self.start()

    def start(self):
        self._beats = 0

    @property
    def seconds(self):
        """Since the start, and a little less than a clock would say."""
        return self._beats * self.BEAT

    def stop(self):
        self._greenlet.kill()

    def _beat(self):
        while True:
            gevent.sleep(self.BEAT)
            self._beats += 1


@pytest.fixture
def stopwatch():
    watch = Stopwatch()
    yield watch
    watch.stop()
