"""Rooms, closed again after each test, whatever became of it."""

import pytest
from acts import stage
from gevent import Timeout
from plays import Play

from greenroom import Greenroom, ManualClock, signals


@pytest.fixture(autouse=True)
def _clear_the_stage():
    stage.clear()


@pytest.fixture(autouse=True)
def _no_test_waits_for_ever():
    with Timeout(60):
        yield


@pytest.fixture(params=["sqlite", "memory", "volatile"])
def kind(request):
    """Where jobs live: in a file, in memory, or in memory as volatile jobs of a room with a file."""
    return request.param


@pytest.fixture
def file_url(tmp_path):
    return f"sqlite:///{tmp_path}/greenroom.db"


@pytest.fixture
def url(kind, file_url):
    return "memory://" if kind == "memory" else file_url


@pytest.fixture
def make_room(url):
    """Makes rooms of that kind, started unless told otherwise."""
    made = []

    def make(*, start=True, **options):
        room = Greenroom(options.pop("url", url), **options)
        made.append(room)
        stage.room = room
        if start:
            room.start()
        return room

    yield make
    stage.curtain.set()
    for room in made:
        room.stop(0)


@pytest.fixture
def room(make_room):
    """A room that runs."""
    return make_room()


@pytest.fixture
def declare(kind):
    """Makes a task of a function: a volatile one where the test is of those."""

    def make_task(room, func, **options):
        return room.task(**{"durable": kind != "volatile", **options})(func)

    return make_task


@pytest.fixture
def put_on(tmp_path):
    """Begins a play, a process of its own, in this test's folder."""
    plays = []

    def begin(act):
        plays.append(Play(tmp_path, act))
        return plays[-1]

    yield begin
    for play in plays:
        play.close()


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def listen():
    """Connects a receiver to a signal for the length of a test."""
    connected = []

    def connect(signal, receiver):
        signal.connect(receiver, weak=False)
        connected.append((signal, receiver))
        return receiver

    yield connect
    for signal, receiver in connected:
        signal.disconnect(receiver)


@pytest.fixture
def heard(listen):
    """The names of the signals that were sent, in order, by the id of the job."""
    names = {}

    def note(name):
        listen(getattr(signals, f"task_{name}"), lambda _, result: names.setdefault(result.id, []).append(name))

    for name in ("enqueued", "started", "retried", "finished"):
        note(name)
    return names
