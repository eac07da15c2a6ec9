"""Trouble in the store is told, backed off from, and got over: no job is lost by it, nor run twice."""

import subprocess
import sys

import gevent
import pytest
from acts import PATIENCE, add, in_a_file, say, stage, until, wait

from greenroom import Progress, Status, StoreUnavailable

pytestmark = [in_a_file, pytest.mark.integration]


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch):
    monkeypatch.setattr("greenroom._service._FIRST_PAUSE", 0.02)
    monkeypatch.setattr("greenroom._service._LONGEST_PAUSE", 0.02)
    monkeypatch.setattr("greenroom._backstage._GRACE", 0.1)


class Database:
    """The file, as another process gets at it: here, SQLite's own locks would be lost by closing it."""

    def __init__(self, path):
        self._path = path

    def run(self, statement):
        code = "import sqlite3, sys; sqlite3.connect(sys.argv[1], timeout=10).execute(sys.argv[2])"
        subprocess.run([sys.executable, "-I", "-S", "-c", code, str(self._path), statement], check=True)

    def take_away(self):
        self.run("ALTER TABLE job RENAME TO taken_away")

    def bring_back(self):
        self.run("ALTER TABLE taken_away RENAME TO job")


@pytest.fixture
def database(tmp_path, room):
    room.counts()
    return Database(tmp_path / "greenroom.db")


def test_whoever_enqueues_is_told_and_nothing_is_run(room, declare, database):
    task = declare(room, say)
    database.take_away()
    for enqueue in (
        task.enqueue,
        task.using(run_after=60).enqueue,
        lambda word: room.enqueue_many([task.prepare(word)]),
    ):
        with pytest.raises(StoreUnavailable, match="cannot be used: no such table: job"):
            enqueue("never said")
    with pytest.raises(StoreUnavailable):
        room.counts()
    database.bring_back()
    assert task.enqueue("well again").wait(PATIENCE).status is Status.SUCCESSFUL
    assert stage.seen == ["well again"]
    assert sum(room.counts().values()) == 1


def test_a_runner_in_trouble_says_so_and_gets_over_it(room, declare, database, caplog):
    task = declare(room, say)
    database.take_away()
    room._backstage.durable.runner.wake()
    until(room.trouble)
    assert room.trouble().startswith(f"runner of {room.url}: StoreUnavailable: ")
    database.bring_back()
    until(lambda: room.trouble() is None)
    assert task.enqueue("well again").wait(PATIENCE).status is Status.SUCCESSFUL
    trouble = [line for line in caplog.messages if "trouble" in line]
    assert trouble == [f"runner of {room.url}: trouble, and will be tried again"]


def test_what_waited_before_the_trouble_runs_after_it(make_room, declare, tmp_path):
    room = make_room(start=False)
    result = declare(room, say).enqueue("in the end")
    database = Database(tmp_path / "greenroom.db")
    database.take_away()
    room.start()
    until(room.trouble)
    database.bring_back()
    assert result.wait(PATIENCE).attempts == 1


def test_an_outcome_is_recorded_when_the_trouble_is_over(room, declare, database):
    results = [declare(room, wait, name=f"wait {number}").enqueue(number) for number in range(3)]
    stage.wait_for(3)
    database.take_away()
    stage.curtain.set()
    until(room.trouble)
    assert "recorder of" in room.trouble()
    assert sorted(stage.seen) == [0, 1, 2]
    database.bring_back()
    assert [result.wait(PATIENCE).return_value for result in results] == [0, 1, 2]
    assert [result.attempts for result in results] == [1, 1, 1]
    assert len(stage.seen) == 3


def test_volatile_tasks_and_calls_know_nothing_of_it(room, declare, database):
    database.take_away()
    assert room.task(name="passing", durable=False)(add).enqueue(1, 2).wait(PATIENCE).return_value == 3
    assert room.spawn(add, 1, 2).get(PATIENCE) == 3
    database.bring_back()


def test_progress_that_cannot_be_stored_does_not_fail_the_task(room, declare, database):
    result = declare(room, make_progress).enqueue()
    stage.wait_for()
    database.take_away()
    stage.curtain.set()
    until(lambda: stage.seen == ["progress", "made"])
    database.bring_back()
    assert (result.wait(PATIENCE).attempts, result.progress) == (1, Progress(1, 2, ""))


def make_progress():
    stage.entered.put(None)
    stage.curtain.wait()
    stage.seen.append("progress")
    stage.room.current().progress(1, 2)
    stage.seen.append("made")


def test_what_ended_during_the_trouble_is_recorded_when_the_room_stops_after_it(
    make_room, declare, tmp_path, monkeypatch
):
    monkeypatch.setattr("greenroom._service._FIRST_PAUSE", 3600.0)
    room, database = make_room(), Database(tmp_path / "greenroom.db")
    result = declare(room, wait).enqueue("done")
    stage.wait_for()
    database.take_away()
    stage.curtain.set()
    until(room.trouble)
    database.bring_back()
    room.stop(0)
    found = make_room(start=False).get_result(result.id)
    assert (found.status, found.attempts) == (Status.SUCCESSFUL, 1)


def test_a_room_that_stops_during_the_trouble_leaves_its_jobs_to_be_rescued(
    make_room, room, declare, database, caplog
):
    result = declare(room, wait).enqueue("done")
    stage.wait_for()
    database.take_away()
    with gevent.Timeout(PATIENCE):
        room.stop(0)
    assert any("not everything could be given back; it will be rescued" in line for line in caplog.messages)
    database.bring_back()
    again = make_room(start=False)
    declare(again, say, name="acts.wait")
    again.start()
    assert again.get_result(result.id).wait(PATIENCE).attempts == 2


def test_while_another_program_holds_the_lock_others_go_on_and_nothing_is_lost(room, declare, database):
    task = declare(room, say)
    holding = gevent.spawn(database.run, "INSERT INTO meta SELECT 'slow', count(*) FROM (" + SLOW + ")")
    gevent.sleep(0.15)
    turns = 0
    asking = gevent.spawn(task.enqueue, "in the end")
    while not asking.ready():
        gevent.sleep(0.001)
        turns += 1
    assert asking.get().wait(PATIENCE).status is Status.SUCCESSFUL
    holding.get(timeout=PATIENCE)
    assert turns > 0
    assert room.trouble() is None


SLOW = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n LIMIT 2000000) SELECT x FROM n"


def test_what_ended_and_could_not_be_recorded_is_named_when_the_room_stops(room, declare, database, caplog):
    result = declare(room, wait).enqueue("done")
    stage.wait_for()
    database.take_away()
    stage.curtain.set()
    until(room.trouble)
    with gevent.Timeout(PATIENCE):
        room.stop(0)
    assert [line for line in caplog.messages if "could not be recorded: it will be run again" in line] == [
        f"task acts.wait (job {result.id}) has ended, and that could not be recorded: it will be run again"
    ]
    database.bring_back()
