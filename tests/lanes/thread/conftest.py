"""Rooms whose thread lane is looked at, closed again after each test."""

import logging
import sys

import pytest
from gevent import Timeout
from thread_acts import stage

from greenroom import Greenroom
from greenroom.testing.lane_suite import until


@pytest.fixture(autouse=True)
def _no_test_waits_for_ever():
    with Timeout(60):
        yield


@pytest.fixture
def make_room():
    made = []

    def make(url="memory://", *, size=1):
        room = Greenroom(url, lanes={"thread": size})
        made.append(room)
        room.start()
        return room

    yield make
    hands = {hand.ident for room in made if room._backstage for hand in room._backstage.lanes["thread"]._hands}
    for room in made:
        room.stop(0)
    # To the very end, where their hubs are closed: the next test may count what is open.
    until(lambda: let_all_end() or hands.isdisjoint(sys._current_frames()))


@pytest.fixture
def room(make_room):
    """A room with one slot for threads: who loses it is noticed."""
    return make_room()


@pytest.fixture
def lane(room):
    return room._backstage.lanes["thread"]


@pytest.fixture
def start():
    """Enqueues a task made of a function."""

    def start(room, func, *args, **options):
        name = f"{func.__name__} {len(room.tasks)}"
        return room.task(lane="thread", **{"name": name, "max_attempts": 1, **options})(func).enqueue(*args)

    return start


@pytest.fixture
def infos(caplog):
    caplog.set_level(logging.INFO, "greenroom")
    return caplog


@pytest.fixture(autouse=True)
def _clear_the_stage():
    stage.clear()
    yield
    let_all_end()


def let_all_end():
    stage.is_over = True
    if stage.latch.locked():
        stage.latch.release()
