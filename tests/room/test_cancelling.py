"""A job is called off: at once while it waits, and at its next chance to end while it runs."""

import sqlite3
from contextlib import closing

import gevent
import pytest
from acts import PATIENCE, add, durable, in_a_file, say, stage, until, wait
from gevent.event import Event

from greenroom import Backoff, InvalidOption, Status
from greenroom.stores import MemoryStore, SqliteStore


def test_a_job_that_waits_for_a_slot_never_runs(make_room, declare):
    room = make_room(lanes={"greenlet": 1})
    declare(room, wait).enqueue()
    stage.wait_for()
    result = declare(room, say).enqueue("never said")
    assert result.cancel("sold out") is True
    stage.curtain.set()
    assert result.wait(PATIENCE).status is Status.CANCELLED
    assert result.note == "sold out"
    assert declare(room, add).enqueue(1).wait(PATIENCE).return_value == 1
    assert "never said" not in stage.seen


def test_a_reason_that_is_no_text_is_refused_and_nothing_is_called_off(make_room, declare):
    result = declare(make_room(start=False), say).enqueue("said")
    with pytest.raises(InvalidOption, match="^reason=5 is of type int, and not a str: use reason='sold out'"):
        result.cancel(5)
    result.refresh()
    assert (result.status, result.note) == (Status.READY, None)


def test_a_scheduled_job_never_runs(make_room, declare, clock):
    room = make_room(clock=clock)
    result = declare(room, say).using(run_after=60).enqueue("never said")
    assert result.cancel() is True
    result.refresh()
    assert (result.status, result.attempts, result.note) == (Status.CANCELLED, 0, "cancelled")
    clock.advance(60)
    declare(room, add).enqueue(1).wait(PATIENCE)
    assert stage.seen == []


def test_a_job_that_runs_is_ended_where_it_waits(room, declare):
    result = declare(room, wait).enqueue()
    stage.wait_for()
    assert result.cancel("enough") is True
    assert result.wait(PATIENCE).status is Status.CANCELLED
    assert (result.note, result.attempts, result.errors) == ("enough", 1, ())
    assert stage.on_stage == 0
    assert stage.seen == []


def test_whoever_waits_for_it_is_woken(room, declare, monkeypatch):
    monkeypatch.setattr("greenroom._side._LOOK_AGAIN", 3600.0)
    result = declare(room, say).using(run_after=60).enqueue("never said")
    waiting = gevent.spawn(room.get_result(result.id).wait, PATIENCE)
    until(lambda: any(side._waits for side in room._backstage.sides))
    result.cancel()
    assert waiting.get(timeout=PATIENCE).status is Status.CANCELLED


def test_a_job_that_has_finished_cannot_be_cancelled(room, declare):
    result = declare(room, add).enqueue(1).wait(PATIENCE)
    assert result.cancel() is False
    result.refresh()
    assert result.status is Status.SUCCESSFUL


@durable
def test_a_job_that_has_ended_cannot_be_cancelled_though_that_is_not_stored_yet(room, declare, monkeypatch):
    may_be_stored = Event()
    for store in (SqliteStore, MemoryStore):

        def swap_all(self, changes, sound=store.swap_all):
            may_be_stored.wait(PATIENCE)
            return sound(self, changes)

        monkeypatch.setattr(store, "swap_all", swap_all)
    result = declare(room, say).enqueue("said")
    until(lambda: stage.seen == ["said"])
    assert result.cancel() is False
    may_be_stored.set()
    assert result.wait(PATIENCE).return_value == "said"


def test_once_is_enough(room, declare):
    result = declare(room, say).using(run_after=60).enqueue("never said")
    assert result.cancel("first") is True
    assert result.cancel("second") is False
    result.refresh()
    assert result.note == "first"


def test_another_thread_can_cancel_what_runs(room, declare):
    result = declare(room, wait).enqueue()
    stage.wait_for()
    assert gevent.get_hub().threadpool.spawn(result.cancel, "from afar").get(timeout=PATIENCE) is True
    assert result.wait(PATIENCE).note == "from afar"


def test_another_thread_can_cancel_what_waits(room, declare):
    result = declare(room, say).using(run_after=60).enqueue("never said")
    assert gevent.get_hub().threadpool.spawn(result.cancel).get(timeout=PATIENCE) is True
    result.refresh()
    assert result.status is Status.CANCELLED


def catch_too_much():
    stage.entered.put(None)
    for _ in range(3):
        try:
            Event().wait(PATIENCE)
        except Exception:  # noqa: BLE001 - carelessly
            stage.seen.append("carried on")


def clean_up_badly():
    try:
        wait()
    finally:
        raise ValueError("the clean-up broke")


@pytest.mark.parametrize("func", [catch_too_much, clean_up_badly])
def test_a_careless_task_is_ended_all_the_same(room, declare, func):
    result = declare(room, func).enqueue()
    stage.wait_for()
    result.cancel("enough")
    assert result.wait(PATIENCE).status is Status.CANCELLED
    assert result.note == "enough"
    assert stage.seen == []


def test_a_task_can_clean_up_when_it_is_ended(room, declare):
    result = declare(room, clean_up).enqueue()
    stage.wait_for()
    result.cancel()
    assert result.wait(PATIENCE).status is Status.CANCELLED
    assert stage.seen == ["cleaned up"]


def clean_up():
    try:
        wait()
    finally:
        Event().wait(0.01)
        stage.seen.append("cleaned up")


def test_a_task_that_ends_before_it_is_told_to_has_succeeded(room, declare):
    result = declare(room, insist).enqueue()
    stage.wait_for()
    result.cancel()
    assert result.wait(PATIENCE).return_value == "and yet it moves"


def insist():
    try:
        wait()
    except BaseException:  # noqa: BLE001 - knowingly
        return "and yet it moves"


@durable
def test_what_is_to_be_retried_can_be_cancelled(make_room, declare, clock):
    from greenroom import constant

    room = make_room(clock=clock)
    result = declare(room, fail, backoff=constant(60)).enqueue()
    until(lambda: stage.seen and (result.refresh() or result.status is Status.READY))
    assert result.cancel() is True
    result.refresh()
    assert (result.status, result.attempts, len(result.errors)) == (Status.CANCELLED, 1, 1)


def fail():
    stage.seen.append("failed")
    raise OSError


def after(act):
    """A backoff that does something before it says how long to wait."""

    class Afterthought(Backoff):
        def wait(self, attempt):
            act()
            return self.first

    return Afterthought(first=60)


def test_what_is_called_off_while_it_is_judged_is_not_tried_again(make_room, declare, clock):
    room = make_room(clock=clock)
    cancelled = []
    backoff = after(lambda: cancelled.append(stage.result.cancel("too late")))
    stage.result = declare(room, fail, backoff=backoff).enqueue()
    assert stage.result.wait(PATIENCE).status is Status.CANCELLED
    assert (cancelled, stage.result.note, len(stage.result.errors)) == ([True], "too late", 1)


@in_a_file
def test_so_is_what_is_called_off_while_its_retry_is_being_stored(make_room, declare, clock, tmp_path):
    room = make_room(clock=clock)
    with closing(sqlite3.connect(tmp_path / "greenroom.db", isolation_level=None)) as database:
        result = declare(room, fail, backoff=after(lambda: database.execute("BEGIN IMMEDIATE"))).enqueue()
        recorder = room._backstage.sides[0].runner.recorder
        until(lambda: stage.seen and database.in_transaction and not recorder.ended)
        cancelling = gevent.spawn(result.cancel, "too late")
        gevent.sleep(0)
        assert not cancelling.dead
        database.execute("COMMIT")
    assert cancelling.get(timeout=PATIENCE) is True
    result.refresh()
    assert (result.status, result.note, len(result.errors)) == (Status.CANCELLED, "too late", 1)


def test_a_task_that_cancels_its_own_job_is_ended_when_it_next_waits(room, declare):
    stage.result = declare(room, call_itself_off).enqueue()
    assert stage.result.wait(PATIENCE).status is Status.CANCELLED
    assert stage.seen == [True]


def call_itself_off():
    while stage.result is None:
        gevent.sleep(0)
    stage.seen.append(stage.result.cancel("of its own will"))
    gevent.sleep(0)
    stage.seen.append("went on")


def test_the_reason_can_be_any_text(room, declare):
    result = declare(room, say).using(run_after=60).enqueue("never said")
    result.cancel("\ud800" + "x" * 5000)
    result.refresh()
    assert result.note.startswith("\\ud800xxx")
    assert len(result.note) < 1100


def test_a_job_that_was_cancelled_is_not_given_back_when_the_room_stops(make_room, declare, kind):
    room = make_room()
    result = declare(room, linger).enqueue()
    stage.wait_for()
    result.cancel("enough")
    room.stop(0)
    if kind == "volatile":
        return
    again = make_room(start=False) if kind == "sqlite" else room
    assert again.get_result(result.id).status is Status.CANCELLED


def linger():
    try:
        wait()
    finally:
        Event().wait(0.05)
