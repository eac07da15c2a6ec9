"""The programs that import an app, and whether a room starts in them: not by what we know of them, but by trying."""

import os
import subprocess
import sys
import time

import pytest

pytestmark = [pytest.mark.integration, pytest.mark.slow]

PATIENCE = 30.0
SITE = """
from gevent import monkey
monkey.patch_all()
import os
from pathlib import Path
from flask import Flask
from greenroom import Greenroom

app = Flask(__name__)
room = Greenroom("memory://")
room.start()
with Path(__file__).with_name("marks").open("a") as file:
    file.write(f"{os.getpid()} {os.getppid()} {room.is_started}\\n")
"""


@pytest.fixture
def imported(tmp_path):
    """Runs a program in the folder of the app; gives, of each process that imported it, whether the room started."""
    (tmp_path / "site1.py").write_text(SITE)
    marks = tmp_path / "marks"
    programs = []

    def run(*command, processes=1, typed=None):
        environ = {name: value for name, value in os.environ.items() if name != "GREENROOM_RUN"}
        with (tmp_path / "log").open("wb") as log:
            program = subprocess.Popen(
                [sys.executable, *command],
                cwd=tmp_path,
                env=environ,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        programs.append(program)
        if typed is not None:
            program.stdin.write(typed)
        program.stdin.close()
        ends = time.monotonic() + PATIENCE
        while not marks.exists() or len(marks.read_text().splitlines()) < processes:
            assert time.monotonic() < ends, (tmp_path / "log").read_text()
            time.sleep(0.02)
        found = [line.split() for line in marks.read_text().splitlines()]
        return {"program" if int(pid) == program.pid else "child": started == "True" for pid, _, started in found}

    yield run
    for program in programs:
        if program.poll() is None:
            os.killpg(program.pid, 9)  # a session of their own, with all that they started
        program.wait()


def test_flasks_reloader(imported):
    found = imported("-m", "flask", "--app", "site1", "run", "--debug", "--port", "0", processes=2)
    assert found == {"program": False, "child": True}


def test_flasks_shell(imported):
    assert imported("-m", "flask", "--app", "site1", "shell", typed=b"pass\n") == {"program": False}


def test_gunicorns_worker(imported):
    assert imported("-m", "gunicorn", "-b", "127.0.0.1:0", "site1:app") == {"child": True}


def test_gunicorns_master(imported):
    assert imported("-m", "gunicorn", "--preload", "-b", "127.0.0.1:0", "site1:app") == {"program": False}


def test_several_workers_of_our_own(imported):
    found = imported("-m", "greenroom", "serve", "site1:app", "--workers", "2", "--bind", "127.0.0.1:0", processes=2)
    assert found == {"child": True}


def test_pytest(imported):
    assert imported("-m", "pytest", "-q", "-p", "no:cacheprovider", "site1.py") == {"program": False}


def test_a_prompt(imported):
    assert imported("-i", "-c", "import site1", typed=b"pass\n") == {"program": False}
