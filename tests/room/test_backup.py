"""A backup is whole, overwrites nothing, hinders nobody, and can be gone on from."""

import sqlite3
import stat
import subprocess
import sys

import gevent
import pytest

from greenroom import Greenroom, InvalidOption, Status, StoreError
from greenroom.testing._heart import Heart

pytestmark = pytest.mark.integration

ran = []


@pytest.fixture
def rooms():
    made = []

    def make(path):
        room = Greenroom(f"sqlite:///{path}")
        made.append(room)
        return room, room.task(note)

    yield make
    for room in made:
        room.stop(0)
    ran.clear()


def note(number):
    ran.append(number)
    return number


def test_what_was_copied_runs_from_the_copy(rooms, tmp_path):
    room, task = rooms(tmp_path / "jobs.db")
    results = [task.enqueue(number) for number in range(20)]
    room.backup(tmp_path / "copy.db")
    again, _ = rooms(tmp_path / "copy.db")
    again.start()
    assert [again.get_result(result.id).wait(20).return_value for result in results] == [*range(20)]
    assert room.counts()[Status.READY] == 20, "the original is as it was"
    assert stat.S_IMODE((tmp_path / "copy.db").stat().st_mode) == 0o600


def test_a_backup_overwrites_nothing_and_leaves_nothing_half_done(rooms, tmp_path):
    room, task = rooms(tmp_path / "jobs.db")
    task.enqueue(1)
    target = tmp_path / "copy.db"
    target.write_text("mine")
    with pytest.raises(InvalidOption, match=f"{target} is there already, and a backup overwrites nothing. Name"):
        room.backup(target)
    assert target.read_text() == "mine"
    with pytest.raises(
        InvalidOption, match="no backup can be written to .*: No such file or directory. Name another"
    ):
        room.backup(tmp_path / "nowhere" / "copy.db")
    (tmp_path / "other.db.partial").touch()
    with pytest.raises(InvalidOption, match="other.db.partial is there: of a backup that is being made"):
        room.backup(tmp_path / "other.db")
    assert sorted(file.name for file in tmp_path.glob("*copy*")) == ["copy.db"]


def test_what_lives_in_memory_has_no_backup(tmp_path):
    room = Greenroom("memory://")
    with pytest.raises(InvalidOption, match="memory:// is in memory alone: there is no file to copy"):
        room.backup(tmp_path / "copy.db")
    room.stop(0)


def test_a_backup_is_consistent_and_hinders_nobody(rooms, tmp_path):
    room, task = rooms(tmp_path / "jobs.db")
    room.enqueue_many([task.prepare(number) for number in range(5000)])
    copying = gevent.spawn(room.backup, tmp_path / "copy.db")
    enqueued = 0
    with Heart() as heart:
        while not copying.ready():
            room.enqueue_many([task.prepare(enqueued) for _ in range(10)])  # all of ten, or none
            enqueued += 10
    copying.get()
    assert heart.longest < 1
    with sqlite3.connect(tmp_path / "copy.db") as copy:
        (found,) = copy.execute("SELECT count(*) FROM job").fetchone()
        assert copy.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    copy.close()
    assert found % 10 == 0
    assert 5000 <= found <= 5000 + enqueued
    assert enqueued > 0


def test_what_was_taken_away_can_still_be_saved(rooms, tmp_path):
    room, task = rooms(tmp_path / "jobs.db")
    result = task.enqueue(1)
    (tmp_path / "jobs.db").unlink()
    with pytest.raises(StoreError):
        task.enqueue(2)
    room.backup(tmp_path / "saved.db")
    again, _ = rooms(tmp_path / "saved.db")
    again.start()
    assert again.get_result(result.id).wait(20).return_value == 1


def test_the_command_copies_what_a_process_uses(rooms, tmp_path):
    room, task = rooms(tmp_path / "jobs.db")
    room.start()
    task.enqueue(1).wait(20)
    said = command("--store", room.url, str(tmp_path / "copy.db"))
    assert said.returncode == 0, said.stderr
    assert said.stdout.startswith(f"greenroom: {room.url} is copied to {tmp_path}/copy.db (")
    task.enqueue(2).wait(20)  # no lock was lost, and nothing else
    said = command("--store", room.url, str(tmp_path / "copy.db"))
    assert said.returncode == 1
    assert "is there already" in said.stderr
    assert sqlite3.connect(tmp_path / "copy.db").execute("SELECT count(*) FROM job").fetchone() == (1,)


WORK = """
from greenroom import Greenroom
room = Greenroom("sqlite:///jobs.db")
def app(environ, start_response): ...
"""


@pytest.mark.parametrize(
    "arguments",
    [
        ["work:app", "copy.db"],
        ["--room", "work:room", "copy.db"],
        ["copy.db", "--room", "work:room"],
        ["work:app", "--room", "work:room", "copy.db"],
        ["work:app", "copy.db", "--room", "work:room"],
        ["--room", "work:room", "work:app", "copy.db"],
        ["copy.db", "--store", "sqlite:///jobs.db"],
    ],
)
def test_the_command_takes_what_names_the_store_in_any_order(rooms, tmp_path, arguments):
    (tmp_path / "work.py").write_text(WORK)
    room, task = rooms(tmp_path / "jobs.db")
    task.enqueue(1)
    room.stop(0)
    said = command(*arguments, cwd=tmp_path)
    assert (said.returncode, said.stderr) == (0, "")
    assert (tmp_path / "copy.db").exists()


@pytest.mark.parametrize("path", [None, 5, b"copy.db"])
def test_what_is_no_path_is_refused(rooms, tmp_path, path):
    room, _ = rooms(tmp_path / "jobs.db")
    with pytest.raises(InvalidOption, match=r"^path=.* is not a path: use a str or a Path, such as 'monday\.db'"):
        room.backup(path)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["copy.db"], "name either the app (app:app), or its room (--room tasks:room), or its store (--store"),
        (["--store", "sqlite:///nowhere.db", "--room", "work:room", "copy.db"], "name either the app (app:app), or"),
        (["--store", "sqlite:///nowhere.db", "copy.db"], "nowhere.db: there is no such file"),
        (["--store", "memory://", "copy.db"], "memory:// is in memory alone"),
    ],
)
def test_the_command_refuses_what_makes_no_sense(arguments, reason, tmp_path):
    said = command(*arguments, cwd=tmp_path)
    assert said.returncode
    assert reason in said.stderr
    assert not [*tmp_path.iterdir()]


def command(*arguments, **options):
    run = [sys.executable, "-m", "greenroom", "backup", *arguments]
    return subprocess.run(run, capture_output=True, text=True, check=False, timeout=60, **options)
