"""A real Ctrl-C ends the process, wherever it arrives, and costs no job an attempt."""

import signal

import pytest
from acts import in_a_file, until

from greenroom import Status

pytestmark = pytest.mark.integration


def id_of(play):
    until(lambda: any(mark.isdigit() for mark in play.marks))
    return next(mark for mark in play.marks if mark.isdigit())


@in_a_file
@pytest.mark.parametrize("act", ["nap", "spin"])
def test_a_task_that_runs_is_given_back(put_on, make_room, act):
    play = put_on(act)
    play.reach("begun")
    play.tell(signal.SIGINT)
    status, said = play.end()
    assert status in (-signal.SIGINT, 130)
    assert "KeyboardInterrupt" in said
    assert "ended" not in play.marks
    assert "stopped" in play.marks
    result = make_room(start=False).get_result(id_of(play))
    assert (result.status, result.attempts, result.errors) == (Status.READY, 0, ())


@in_a_file
@pytest.mark.parametrize("act", ["leave a nap", "leave a spin"])
def test_a_program_that_ends_without_stopping_its_room_gives_back_what_runs(put_on, make_room, act):
    play = put_on(act)
    assert play.end() == (0, "")
    result = make_room(start=False).get_result(id_of(play))
    assert (result.status, result.attempts, result.crashes, result.errors) == (Status.READY, 0, 0, ())


def test_a_call_that_computes_is_ended_too(put_on):
    play = put_on("call")
    play.reach("begun")
    play.tell(signal.SIGINT)
    assert play.end()[0] in (-signal.SIGINT, 130)
    assert play.marks == ["begun", "interrupted"]


@in_a_file
def test_a_task_that_raises_it_by_itself_has_failed_and_the_process_lives(put_on, make_room):
    play = put_on("interrupt itself")
    play.reach("begun", "ended")
    failed = make_room(start=False).get_result(id_of(play))
    until(lambda: failed.refresh() or failed.is_finished)
    assert (failed.status, failed.errors[0].exception_class_path) == (Status.FAILED, "builtins.KeyboardInterrupt")


@in_a_file
def test_if_the_app_lives_on_so_does_the_job_it_met(put_on, make_room):
    play = put_on("go on")
    play.reach("begun")
    play.tell(signal.SIGINT)
    play.reach("ignored", "ended")
    result = make_room(start=False).get_result(id_of(play))
    until(lambda: result.refresh() or result.is_finished)
    assert (result.status, result.attempts) == (Status.SUCCESSFUL, 1)
