"""`greenroom doctor`: says how things stand, changes nothing, and ends with 1 if anything is not well."""

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from greenroom import Greenroom
from greenroom.cli._findings import _file_system, _span

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
    assert "ok  room: 1 task, lanes greenlet=100" in said
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
        ("jobs", "1 of task stage.gone is parked: no task is named 'stage.gone' here"),
        ("jobs", "1 job is due, and nobody runs tasks"),
    ]
    (dead,) = [finding["text"] for finding in told["findings"] if finding["topic"] == "workers"]
    assert dead.endswith(" is dead: 1 job that it ran will be taken up by the next process that looks")


@pytest.fixture
def enqueued(site, tmp_path):
    """Has a job stored for each number, due for so many seconds.

    This process does so: it has the store open from then on and, being a test, runs no task.
    """
    room = Greenroom(f"sqlite:///{tmp_path}/greenroom.db")
    task = room.task(tidy, name="site1.tidy")

    def enqueue(*since):
        ids = [task.enqueue().id for _ in since]
        for job_id, seconds in zip(ids, since, strict=True):
            ago = seconds * 1_000_000
            change(
                tmp_path, f"run_after = run_after - {ago}, enqueued_at = enqueued_at - {ago} WHERE id = {int(job_id)}"
            )

    yield enqueue
    room.stop(0)


def tidy(): ...


def change(folder, what, table="job"):
    with sqlite3.connect(folder / "greenroom.db") as database:
        database.execute(f"UPDATE {table} SET {what}")
    database.close()


def test_jobs_that_no_process_takes_are_told_though_one_has_the_store_open(doctor, enqueued):
    enqueued(1)
    code, said = doctor("site1:app")
    assert (code, said.splitlines()[-1]) == (0, "All is well.")
    enqueued(40)
    code, said = doctor("site1:app")
    assert code == 1
    assert re.search(r"!!  jobs: 2 jobs have been due for up to \d\d s, and no process takes them\n", said)
    assert "Is the room started in any of those that have the store open?" in said


def test_a_server_that_is_to_run_no_tasks_is_not_taken_for_one_that_does(serve, doctor, tmp_path, monkeypatch):
    monkeypatch.setenv("GREENROOM_RUN", "0")
    server = serve()
    server.enqueue("nap", 0)
    change(tmp_path, "run_after = run_after - 40000000, enqueued_at = enqueued_at - 40000000")
    code, said = doctor("stage:app")
    assert code == 1
    assert re.search(r"!!  jobs: 1 job has been due for up to 4\d s, and no process takes it\n", said)


@pytest.mark.parametrize(("seconds", "code"), [(40, 0), (301, 1)])
def test_jobs_that_wait_for_others_are_told_when_it_is_long(doctor, enqueued, tmp_path, seconds, code):
    enqueued(seconds, seconds + 1)
    change(tmp_path, "state = 2, worker = 1, started_at = run_after WHERE id = (SELECT min(id) FROM job)")
    told, said = doctor("site1:app")
    assert told == code
    assert ("!!  jobs: 1 job has been due for up to 5 min, behind others\n" in said) is bool(code)


def test_jobs_that_wait_while_others_begin_are_no_finding_yet(doctor, enqueued, tmp_path):
    enqueued(40, 0)
    change(tmp_path, "state = 3, started_at = run_after, result = 'null' WHERE id = (SELECT max(id) FROM job)")
    code, said = doctor("site1:app")
    assert (code, said.splitlines()[-1]) == (0, "All is well.")


def test_a_job_is_not_due_before_it_was_enqueued(doctor, enqueued, tmp_path):
    enqueued(0)
    change(tmp_path, "run_after = run_after - 3600000000")
    code, said = doctor("site1:app")
    assert (code, said.splitlines()[-1]) == (0, "All is well.")


def test_what_is_parked_is_told_of_once(doctor, enqueued, tmp_path):
    enqueued(90, 90)
    change(tmp_path, "note = 'parked: no task is named so'")
    code, said = doctor("site1:app")
    assert code == 1
    assert "!!  jobs: 2 of task site1.tidy are parked: no task is named so\n" in said
    assert "due" not in said


def test_a_suspect_that_nobody_takes_is_due_too(doctor, enqueued, tmp_path):
    enqueued(90)
    change(tmp_path, "state = -1, crashes = 2")
    code, said = doctor("site1:app")
    assert (code, "1 job has been due for up to 9" in said) == (1, True)


def test_what_has_failed_is_told_with_how_to_retry_it(doctor, enqueued, tmp_path):
    enqueued(0, 0)
    change(tmp_path, "state = 4")
    code, said = doctor("site1:app")
    assert code == 0
    assert (
        "ok  jobs: 2 have failed, and are kept: room.find(status=Status.FAILED) lists what failed, with its errors, "
        "and result.retry() runs it again\n"
    ) in said


def test_what_is_quarantined_is_told(doctor, enqueued, tmp_path):
    enqueued(0)
    change(tmp_path, "state = 4, crashes = 3")
    code, said = doctor("site1:app")
    assert code == 1
    assert "!!  jobs: 1 of task site1.tidy is quarantined: its processes died while it ran\n" in said


@pytest.mark.usefixtures("site")
def test_a_script_that_has_ended_is_not_told_of(doctor, tmp_path):
    script = "import site1; site1.tidy.using(run_after=3600.0).enqueue()"
    subprocess.run([sys.executable, "-c", script], cwd=tmp_path, check=True, timeout=60)
    code, said = doctor("site1:app")
    assert (code, "ok  workers: no process has the store open\n" in said) == (0, True)


def test_jobs_of_a_dead_process_that_nobody_has_taken_up_are_told(serve, doctor, tmp_path):
    server = serve()
    server.enqueue("nap", 3600)
    server.marked("nap begins")
    server.told(signal.SIGKILL)
    server.ended()
    change(tmp_path, "lease_until = lease_until - 60000000", table="worker")
    code, said = doctor("stage:app")
    assert code == 1
    assert " is dead: 1 job that it ran has not been taken up since\n      Start the app: greenroom serve" in said


@pytest.mark.parametrize(
    ("seconds", "said"), [(40.2, "40 s"), (119, "119 s"), (300, "5 min"), (7300, "2 h"), (200_000, "2 days")]
)
def test_a_length_of_time_is_told_roughly(seconds, said):
    assert _span(seconds) == said


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


@pytest.mark.usefixtures("site")
def test_a_file_of_an_older_version_is_looked_at_all_the_same(doctor, tmp_path):
    schema = Path(__file__).parents[1].joinpath("stores/schema_1.sql").read_text("utf-8")
    with closing(sqlite3.connect(tmp_path / "greenroom.db")) as connection:
        connection.executescript(f"{schema}; INSERT INTO meta VALUES ('schema', 1)")
    code, said = doctor("site1:app")
    assert (code, "schema 1, " in said, "brought up to date when next opened" in said) == (0, True, True), said


def test_the_kind_of_file_system_is_that_of_the_nearest_mount(tmp_path):
    mounts = f"/dev/a / ext4 rw 0 0\nserver:/x {tmp_path.parent} nfs4 rw 0 0\nserver:/y /elsewhere cifs rw 0 0\n"
    assert _file_system(tmp_path, mounts) == "nfs4"
    assert _file_system(tmp_path, "") == ""
