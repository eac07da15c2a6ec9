"""A process that is killed loses nothing: what it ran is run again, and its attempt counted."""

import signal

import pytest
from acts import PATIENCE, in_a_file, say, stage, until

from greenroom import Status

pytestmark = [in_a_file, pytest.mark.integration]


@pytest.fixture
def killed(put_on):
    """The id of the job that a process ran when it was killed."""
    play = put_on("nap")
    play.reach("begun")
    until(lambda: any(mark.isdigit() for mark in play.marks))
    (result_id,) = (mark for mark in play.marks if mark.isdigit())
    play.tell(signal.SIGKILL)
    assert play.end()[0] == -signal.SIGKILL
    return result_id


def test_its_job_runs_again_as_soon_as_another_room_is_started(killed, make_room, declare):
    room = make_room(start=False)
    assert room.get_result(killed).status is Status.RUNNING
    declare(room, say, name="nap")
    room.start()
    result = room.get_result(killed).wait(PATIENCE)
    assert (result.status, result.attempts, stage.seen) == (Status.SUCCESSFUL, 2, [3600])


def test_the_attempt_that_it_ended_is_among_the_errors(killed, make_room, declare, caplog):
    room = make_room(start=False)
    declare(room, say, name="nap")
    room.start()
    (error,) = room.get_result(killed).wait(PATIENCE).errors
    assert (error.attempt, error.exception_class_path) == (1, "greenroom.Crashed")
    assert "died while it ran this" in error.message
    assert any(f"job {killed} (task nap): rescued from worker" in line for line in caplog.messages)


def test_it_is_told_of_as_a_retry(killed, make_room, declare, heard):
    room = make_room(start=False)
    declare(room, say, name="nap")
    room.start()
    room.get_result(killed).wait(PATIENCE)
    assert heard[killed] == ["retried", "started", "finished"]


def test_a_room_that_runs_already_finds_it_too(killed, make_room, declare, monkeypatch):
    monkeypatch.setattr("greenroom._janitor.EVERY", 0.05)
    room = make_room()
    declare(room, say, name="nap")
    assert room.get_result(killed).wait(PATIENCE).attempts == 2


def test_it_is_not_run_twice_by_two_rooms(killed, make_room, declare):
    rooms = [make_room(start=False) for _ in range(2)]
    for room in rooms:
        declare(room, say, name="nap")
        room.start()
    rooms[0].get_result(killed).wait(PATIENCE)
    until(lambda: rooms[1].get_result(killed).status is Status.SUCCESSFUL)
    assert stage.seen == [3600]


@pytest.mark.slow
def test_a_job_that_kills_its_process_is_given_up_when_its_attempts_are_used_up(put_on, make_room, declare):
    first = put_on("poison")
    assert first.end()[0] == -signal.SIGKILL
    second = put_on("serve")
    assert second.end()[0] == -signal.SIGKILL
    assert second.marks.count("begun") == 2

    room = make_room(start=False)
    declare(room, say, name="poison")
    room.start()
    (result,) = room.find()
    result.wait(PATIENCE)
    assert (result.status, result.attempts, len(result.errors)) == (Status.FAILED, 2, 2)
    assert stage.seen == []
