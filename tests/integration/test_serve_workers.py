"""`greenroom serve --workers N`, and gunicorn with our worker class: several processes that lose no job."""

import re
import signal
import subprocess
import sys

import pytest
from apps.served import PATIENCE, until

from greenroom import Status
from greenroom.server import Refusal, Wanted, become_several

pytestmark = [pytest.mark.integration, pytest.mark.slow]

WANTED = Wanted(
    app="stage:app",
    room=None,
    bind="127.0.0.1:0",
    drain=30.0,
    start_timeout=60.0,
    pid=None,
    healthz=True,
    access_log=True,
    log_level=None,
)


@pytest.fixture
def several(serve):
    """A server of two processes that serve."""

    def start(*options):
        server = serve("--workers", "2", *options)
        # A signal that comes before a process has set up its handlers is lost: that is gunicorn's way.
        bells = server.folder / "greenroom.db.workers"
        until(lambda: len([*bells.glob("*.bell")]) == 2, "two rooms have opened")
        return server

    return start


def pids(server):
    """Of the processes that were started to serve."""
    return [int(pid) for pid in re.findall(r"Booting worker with pid: (\d+)", server.stderr)]


def test_several_processes_answer_and_run_tasks(several):
    server = several("--no-healthz")
    until(lambda: len({server.get("/pid")[1] for _ in range(20)}) == 2, "answers of both")
    assert int(server.get("/work")[1]) in pids(server)  # and never in the parent
    assert server.process.pid not in pids(server)
    assert server.get("/healthz")[1] == "the app's own"


def test_a_request_is_treated_as_by_one_process(several):
    server = several()
    response, body = server.get("/whose", X_Request_ID="mine-1")
    assert (response.headers["X-Request-ID"], body) == ("mine-1", "mine-1 mine-1")
    assert '"GET /whose HTTP/1.1" 200 13 ' in server.said("mine-1")
    assert server.get("/healthz")[1] == '{"status": "ok"}'
    connection = server.connect()
    for _ in range(2):  # what one request sets is not found by the next on its connection
        connection.request("GET", "/carry")
        assert connection.getresponse().read() == b"{}"
    connection.close()


def test_what_runs_when_it_is_told_to_end_ends_first(several, stored):
    server = several()
    result_id = server.enqueue("nap", 2)
    server.marked("nap begins")
    server.told()
    assert server.ended() == 0
    server.marked("nap ends")
    assert stored(result_id) == (Status.SUCCESSFUL, 1)


def test_what_takes_too_long_is_given_back_at_no_cost(several, stored):
    server = several("--drain", "0.5")
    result_id = server.enqueue("nap", 60)
    server.marked("nap begins")
    server.told()
    assert server.ended() == 0
    assert stored(result_id) == (Status.READY, 0)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGQUIT])
def test_in_a_hurry_nothing_is_waited_for_and_nothing_lost(several, stored, number):
    server = several()
    result_id = server.enqueue("nap", 60)
    server.marked("nap begins")
    server.told(number)
    assert server.ended() == 0
    assert stored(result_id) == (Status.READY, 0)


def test_a_reload_loses_nothing(several):
    server = several()
    result_id = server.enqueue("nap", 2)
    server.marked("nap begins")
    before = set(pids(server))
    server.told(signal.SIGHUP)
    until(lambda: len(pids(server)) == 4, "two more processes")
    answers = set()

    def only_new():
        answers.add(int(server.get("/pid")[1]))
        return not before & {int(server.get("/pid")[1]) for _ in range(4)}

    until(only_new, "answers of the new ones alone")
    until(lambda: server.job(result_id) == ["SUCCESSFUL", 1], "the job has ended")


def test_the_job_of_a_process_that_was_killed_is_run_by_another_at_once(several):
    server = several()
    result_id = server.enqueue("die_once", 0)
    server.marked("lives on")
    until(lambda: server.job(result_id)[0] == "SUCCESSFUL", "it has ended")
    assert server.job(result_id) == ["SUCCESSFUL", 2]


def test_an_app_that_is_not_there_is_refused_once_and_for_all(tmp_path):
    command = [sys.executable, "-m", "greenroom", "serve", "nothing:app", "--workers", "2", "--bind", "127.0.0.1:0"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 4
    assert "greenroom serve: nothing:app cannot be found: there is no module nothing" in done.stderr


@pytest.mark.parametrize(
    ("program", "option"),
    [
        (["gunicorn", "-k", "greenroom.contrib.gunicorn.Worker"], "GREENROOM_ROOM="),
        (["greenroom", "serve", "--workers", "2"], "--room "),
    ],
)
def test_a_room_that_is_not_found_is_named_as_whoever_started_it_can(tmp_path, program, option):
    (tmp_path / "bare.py").write_text("def app(environ, start_response): ...\n")
    command = [sys.executable, "-m", *program, "bare:app", "--bind", "127.0.0.1:0"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 4
    assert f"app.extensions['greenroom']. Say where it is: {option}tasks:room.\n" in done.stderr


def test_without_gunicorn_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "gunicorn", None)
    with pytest.raises(Refusal) as refused:
        become_several(WANTED, 2)
    assert str(refused.value) == (
        "--workers 2 needs gunicorn, which starts and watches the processes: pip install 'greenroom[workers]'."
    )


@pytest.fixture
def gunicorn(serve, tmp_path):
    """What `greenroom serve` starts, started by gunicorn's own command."""

    def start(*options):
        server = serve("-k", "greenroom.contrib.gunicorn.Worker", *options, program=["gunicorn"])
        until(lambda: server.get("/hello"), "an answer")
        return server

    return start


def test_a_process_that_has_served_enough_lets_its_tasks_end(gunicorn):
    server = gunicorn("--max-requests", "1")
    result_id = server.enqueue("nap", 3)
    server.marked("nap begins")
    until(lambda: len(pids(server)) > 1, "a new process")
    until(lambda: server.job(result_id) == ["SUCCESSFUL", 1], "the job has ended")


def test_a_process_that_is_told_to_end_while_it_loads_the_app_ends_in_peace(serve, tmp_path):
    (tmp_path / "hasty.py").write_text("""
import os, signal
from pathlib import Path
import gevent
from stage import app, room
if not Path("told").exists():
    Path("told").touch()
    os.kill(os.getpid(), signal.SIGTERM)
    gevent.sleep(0.1)
""")
    server = serve("-k", "greenroom.contrib.gunicorn.Worker", app="hasty:app", program=["gunicorn"])
    until(lambda: len(pids(server)) == 2, "a new process")
    until(lambda: server.get("/hello"), "an answer")
    assert "Traceback" not in server.stderr
    server.told()
    assert server.ended() == 0


def test_an_app_loaded_before_the_fork_runs_its_tasks_after_it(gunicorn):
    server = gunicorn("--preload", "--workers", "2")
    assert int(server.get("/work")[1]) in pids(server)
