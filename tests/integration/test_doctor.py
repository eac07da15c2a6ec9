"""`greenroom doctor`: says how things stand, changes nothing, and ends with 1 if anything is not well."""

import json
import os
import signal
import sqlite3
import subprocess
import sys

import pytest

from greenroom.cli._findings import _file_system

pytestmark = pytest.mark.integration


@pytest.fixture
def doctor(tmp_path):
    """The exit code, and what is said."""

    def run(*options, **environ):
        command = [sys.executable, "-m", "greenroom", "doctor", *options]
        environ = {**os.environ, "GREENROOM_RUN": "", **environ}
        done = subprocess.run(
            command, cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.stderr == ""
        return done.returncode, done.stdout.replace(str(tmp_path), "HERE")

    return run


@pytest.fixture
def site(tmp_path):
    (tmp_path / "site1.py").write_text("""
from greenroom import Greenroom
room = Greenroom()
@room.task
def tidy(): ...
room.start()
def app(environ, start_response): ...
""")


def test_where_a_room_starts_is_told_without_an_app(doctor):
    code, said = doctor()
    assert code == 0
    assert said.startswith("greenroom 0.1.0, Python 3.")
    assert "ok  where: `greenroom serve` runs tasks in this environment: `greenroom serve` serves the app\n" in said
    assert "ok  where: in this process a room does not start: `greenroom doctor` only looks at the app" in said
    assert said.endswith("All is well.\n")


def test_what_the_environment_says_is_told(doctor):
    code, said = doctor(GREENROOM_RUN="0")
    assert (code, "does not run tasks in this environment: GREENROOM_RUN=0 says so" in said) == (0, True)
    code, said = doctor(GREENROOM_RUN="perhaps")
    assert (code, "!!  where: GREENROOM_RUN='perhaps' in the environment is neither 0 nor 1" in said) == (1, True)


@pytest.mark.usefixtures("site")
def test_it_makes_nothing(doctor, tmp_path):
    code, said = doctor("site1:app")
    assert code == 0
    assert "ok  room: 1 tasks, lanes greenlet=100" in said
    assert (
        "ok  store: sqlite:///HERE/greenroom.db (durability disk): not there yet, made when it is first used" in said
    )
    assert not (tmp_path / "greenroom.db").exists()


@pytest.mark.usefixtures("site")
def test_a_room_without_an_app_is_looked_at(doctor):
    code, said = doctor("--room", "site1:room")
    assert code == 0
    assert "ok  store: sqlite:///HERE/greenroom.db (durability disk): not there yet" in said


def test_a_server_that_runs_is_seen_and_not_disturbed(serve, doctor):
    server = serve()
    server.enqueue("nap", 0)
    server.marked("nap ends")
    code, said = doctor("stage:app")
    assert (code, said.splitlines()[-1]) == (0, "All is well.")
    assert f"ok  workers: worker 1 (process {server.process.pid} on " in said
    assert ") is alive\n" in said
    assert server.get("/healthz")[0].status == 200
    server.told()
    assert server.ended() == 0


def test_what_is_wrong_is_told_with_what_to_do(serve, doctor, tmp_path):
    server = serve()
    for after in (0, 3600, 3600):
        server.enqueue("nap", 3600, after)
    server.marked("nap begins")
    server.told(signal.SIGKILL)
    server.ended()
    with sqlite3.connect(tmp_path / "greenroom.db") as database:
        database.execute(
            "UPDATE job SET task = 'stage.gone', note = 'parked: no task is named ''stage.gone'' here' "
            "WHERE id = (SELECT max(id) FROM job)"
        )
        database.execute("UPDATE job SET state = 0 WHERE state = 1")
    database.close()

    code, said = doctor("stage:app", "--json")
    told = json.loads(said)
    wrong = [(finding["topic"], finding["text"]) for finding in told["findings"] if finding["remedy"]]
    assert (code, told["is_well"]) == (1, False)
    assert wrong == [
        ("jobs", "2 are due, and nobody runs tasks"),
        ("jobs", "1 of task stage.gone are parked: no task is named 'stage.gone' here"),
    ]
    (dead,) = [finding["text"] for finding in told["findings"] if finding["topic"] == "workers"]
    assert dead.endswith(" is dead: its jobs are taken up by the next process that looks")


@pytest.mark.usefixtures("site")
@pytest.mark.parametrize(
    ("content", "reason"),
    [("no database at all, whatever its name", "file is not a database"), ("", "no such table: meta")],
)
def test_what_is_no_store_is_told(doctor, tmp_path, content, reason):
    (tmp_path / "greenroom.db").write_text(content)
    code, said = doctor("site1:app")
    assert code == 1
    assert f"!!  store: sqlite:///HERE/greenroom.db cannot be used: {reason}" in said


@pytest.mark.usefixtures("site")
def test_a_newer_schema_is_told(serve, doctor, tmp_path):
    with sqlite3.connect(tmp_path / "greenroom.db") as database:
        database.execute("CREATE TABLE meta (key, value)")
        database.execute("INSERT INTO meta VALUES ('schema', 99)")
    database.close()
    code, said = doctor("site1:app")
    assert code == 1
    assert "schema 99" in said
    assert "upgrade it, or name another file." in said


def test_the_kind_of_file_system_is_that_of_the_nearest_mount(tmp_path):
    mounts = f"/dev/a / ext4 rw 0 0\nserver:/x {tmp_path.parent} nfs4 rw 0 0\nserver:/y /elsewhere cifs rw 0 0\n"
    assert _file_system(tmp_path, mounts) == "nfs4"
    assert _file_system(tmp_path, "") == ""
