"""A task that asked for it is interrupted when its process is to end, at no cost, and goes on where it was."""

import time

import gevent
import pytest
from acts import PATIENCE, durable, stage, volatile
from gevent.event import Event

from greenroom import InvalidOption, ShuttingDown, Status, checkpoint, track


@pytest.fixture(autouse=True)
def _not_begun():
    stage.begun, stage.is_done = Event(), False


@pytest.fixture
def stop(make_room):
    """Stop the room while its task runs, and give the job as it is stored then."""

    def go(room, result):
        assert stage.begun.wait(PATIENCE)
        room.stop(PATIENCE)
        return (make_room(start=False) if room.url != "memory://" else room).get_result(result.id)

    return go


def plod():
    """A hundred rows; the first time round, it would take an hour."""
    for row in track(range(100), resume=True):
        stage.seen.append(row)
        if row == 5:
            stage.begun.set()
        if row >= 5 and not stage.is_done:
            gevent.sleep(0.002)


def compute():
    stage.begun.set()
    while True:
        for _ in range(1000):
            pass
        checkpoint()


def shrug():
    stage.begun.set()
    while True:
        try:
            checkpoint()
            time.sleep(0.001)
        except Exception:  # noqa: BLE001 - carelessly
            stage.seen.append("shrugged")


def ask(context):
    stage.seen.append(context.is_stopping)
    stage.begun.set()
    while not context.is_stopping:
        gevent.sleep(0.001)
    checkpoint()
    stage.seen.append(context.is_stopping)


def leave_when_asked(context):
    stage.begun.set()
    while not context.is_stopping:
        gevent.sleep(0.001)
    raise ShuttingDown


def leave():
    raise ShuttingDown


@durable
def test_it_is_released_at_its_next_checkpoint_and_goes_on_where_it_was(make_room, declare, stop):
    room = make_room()
    stored = stop(room, declare(room, plod, on_drain="interrupt").enqueue())
    assert (stored.status, stored.attempts, stored.errors) == (Status.READY, 0, ())
    came_to = len(stage.seen)
    assert 6 <= came_to < 100
    assert stored.progress.done == came_to

    stage.is_done = True
    room.start()
    assert room.get_result(stored.id).wait(PATIENCE).attempts == 1
    assert stage.seen == [*range(100)]


@durable
@pytest.mark.parametrize("act", [compute, shrug])
@pytest.mark.parametrize("lane", ["greenlet", "thread"])
def test_nothing_else_that_it_does_keeps_it_from_that(room, declare, stop, act, lane):
    stored = stop(room, declare(room, act, on_drain="interrupt", lane=lane).enqueue())
    assert (stored.status, stored.attempts) == (Status.READY, 0)
    assert stage.seen == []


@durable
def test_who_did_not_ask_for_it_can_see_it_coming_and_finish(room, declare, stop):
    stored = stop(room, declare(room, ask, takes_context=True).enqueue())
    assert stored.status is Status.SUCCESSFUL
    assert stage.seen == [False, True]


@volatile
def test_a_volatile_one_finishes_for_it_could_not_go_on_elsewhere(room, declare):
    declare(room, ask, takes_context=True, on_drain="interrupt").enqueue()
    assert stage.begun.wait(PATIENCE)
    room.stop(PATIENCE)
    assert stage.seen == [False, True]


@durable
def test_a_task_may_leave_by_itself(room, declare, stop):
    stored = stop(room, declare(room, leave_when_asked, takes_context=True).enqueue())
    assert (stored.status, stored.attempts) == (Status.READY, 0)


def test_but_not_while_nothing_is_to_end(room, declare):
    result = declare(room, leave).enqueue().wait(PATIENCE)
    assert result.status is Status.FAILED
    assert result.errors[0].exception_class_path == "greenroom.errors.ShuttingDown"


def test_what_a_task_cannot_do_on_a_drain(make_room):
    with pytest.raises(InvalidOption) as refused:
        make_room(start=False).task(on_drain="stop")(leave)
    assert str(refused.value) == "on_drain='stop' is not known: use 'finish' or 'interrupt'."
