"""Several processes on one file: each hears at once of what concerns it, and looks at nothing in vain."""

import signal
from contextlib import contextmanager

import pytest
from acts import PATIENCE, in_a_file, say, stage, until, wait
from gevent import Timeout, get_hub, spawn

from greenroom import Status

pytestmark = in_a_file


@pytest.fixture(autouse=True)
def _nobody_looks_again(monkeypatch):
    """Whatever comes about does so because somebody was told of it."""
    for net in ("_janitor.EVERY", "_runner.SAFETY_NET", "_side._LOOK_AGAIN", "stores._siblings.LOOK"):
        monkeypatch.setattr(f"greenroom.{net}", 1000.0)


@pytest.fixture
def web(make_room, declare):
    """A room that only enqueues."""
    room = make_room(start=False)
    declare(room, say)
    declare(room, wait)
    return room


@pytest.fixture
def worker(make_room, declare):
    """A room that runs."""
    room = make_room()
    declare(room, say)
    declare(room, wait)
    return room


def woken(result):
    """The result once whoever waits for it is told: it is not looked at again at the end."""
    with Timeout(PATIENCE, AssertionError("not woken")):
        return result.wait()


def test_what_one_enqueues_another_runs(web, worker):
    web.tasks["acts.say"].enqueue("hello")
    until(lambda: stage.seen == ["hello"])


def test_what_is_to_run_later_is_run_on_time(web, worker):
    web.tasks["acts.say"].using(run_after=0.3).enqueue("later")
    until(lambda: stage.seen == ["later"])


def test_who_waits_is_woken_when_another_finishes_it(web, worker):
    result = web.tasks["acts.say"].enqueue("hello")
    assert woken(result).return_value == "hello"


def test_who_waits_is_woken_for_a_job_that_was_cancelled_elsewhere(web, make_room):
    result = web.tasks["acts.say"].using(run_after=3600).enqueue("never")
    waiting = spawn(woken, result)
    assert make_room(start=False).get_result(result.id).cancel()
    assert waiting.get().status is Status.CANCELLED


def test_to_wait_for_others_in_vain_takes_no_longer_than_asked_for(web, worker):
    result = web.tasks["acts.say"].using(run_after=3600).enqueue("never")
    waiting = spawn(give_up_waiting, result, 0.2)
    for word in range(20):
        woken(web.tasks["acts.say"].enqueue(word))
    waiting.get(timeout=PATIENCE)


def give_up_waiting(result, seconds):
    with pytest.raises(TimeoutError):
        result.wait(seconds)


def test_a_job_that_runs_elsewhere_can_be_cancelled(web, worker):
    result = web.tasks["acts.wait"].enqueue("curtain")
    stage.wait_for()
    assert result.cancel("no need")
    woken(result)
    assert (result.status, result.note, stage.seen) == (Status.CANCELLED, "no need", [])


@pytest.fixture
def late_answers(worker):
    """For as long as one likes the worker does not hear what its store did for it, as when its event loop is late."""
    side = worker._backstage.sides[0]
    desk = side.store._writer

    @contextmanager
    def held_back():
        until(side.runner.service._bell.linkcount)  # it asks for nothing just now
        desk._doorbell.stop()
        try:
            yield
        finally:
            desk._doorbell.start(desk._deliver)
            desk._doorbell.send()

    return held_back


def test_so_can_one_that_has_only_just_been_taken(web, worker, late_answers, monkeypatch):
    side = worker._backstage.sides[0]
    told = []
    monkeypatch.setattr(side.store._ledger.siblings, "_heard", lambda news: (side._heard(news), told.append(news)))
    with late_answers():
        result = web.tasks["acts.wait"].enqueue("curtain")
        until(lambda: result.refresh() or result.status is Status.RUNNING)
        told.clear()
        assert result.cancel("changed my mind") is True
        until(lambda: told)
        assert not side.runner.attempts
    assert woken(result).status is Status.CANCELLED
    assert (result.note, stage.on_stage) == ("changed my mind", 0)


def test_by_a_thread_of_the_process_that_has_taken_it_too(web, worker, late_answers):
    with late_answers():
        result = web.tasks["acts.wait"].enqueue("curtain")
        until(lambda: result.refresh() or result.status is Status.RUNNING)
        assert get_hub().threadpool.spawn(worker.get_result(result.id).cancel).get(timeout=PATIENCE) is True
    assert woken(result).status is Status.CANCELLED


def test_what_is_given_back_by_one_is_run_by_another(make_room, declare):
    first, second = make_room(), make_room(start=False)
    for room in (first, second):
        declare(room, wait)
    result = first.tasks["acts.wait"].enqueue("curtain")
    stage.wait_for()
    second.start()
    first.stop(0)
    stage.wait_for()
    stage.curtain.set()
    until(lambda: second.get_result(result.id).status is Status.SUCCESSFUL)
    assert second.get_result(result.id).attempts == 1


@pytest.mark.integration
def test_what_a_process_ran_when_it_was_killed_is_run_at_once(put_on, make_room, declare):
    play = put_on("nap")
    play.reach("begun")
    room = make_room(start=False)
    declare(room, say, name="nap")
    room.start()
    play.tell(signal.SIGKILL)
    until(lambda: stage.seen == [3600])


@pytest.mark.integration
def test_what_was_called_off_is_not_run_again_when_its_process_dies(put_on, make_room, declare):
    play = put_on("nap")
    play.reach("begun")
    until(lambda: any(mark.isdigit() for mark in play.marks))
    (result_id,) = (mark for mark in play.marks if mark.isdigit())
    play.tell(signal.SIGSTOP)
    room = make_room()
    declare(room, say, name="nap")
    result = room.get_result(result_id)
    assert result.cancel("no need")
    play.tell(signal.SIGKILL)
    assert woken(result).status is Status.CANCELLED
    assert (result.note, stage.seen) == ("no need", [])
