"""Rooms, a heart to watch, and programs of their own, all ended after each test."""

import os
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import gevent
import pytest
from gevent import Timeout
from loads import Heart, scene

import greenroom
from greenroom import Greenroom


@pytest.fixture(autouse=True)
def _no_test_waits_for_ever():
    with Timeout(60):
        yield


@pytest.fixture(autouse=True)
def _clear_the_scene():
    scene.clear()


@pytest.fixture
def make_room():
    made = []

    def make(*, start=True, **options):
        room = Greenroom("memory://", **options)
        made.append(room)
        if start:
            room.start()
            gevent.sleep(0.01)  # the turn of the loop in which it is started is not measured
        return room

    yield make
    scene.is_over = True
    scene.curtain.set()
    gevent.sleep(0.01)  # what computes until it is over ends by itself
    for room in made:
        room.stop(0)


@pytest.fixture
def room(make_room):
    return make_room()


@pytest.fixture
def heart():
    """Beats beside the test; tells how late it was at most."""
    heart = Heart()
    yield heart
    heart.stop()


@pytest.fixture
def run_alone(tmp_path):
    """Runs a program in a process of its own, to its end."""

    def run(program, *, seconds=30):
        file = tmp_path / "alone.py"
        file.write_text(dedent(program))
        environ = os.environ | {"PYTHONPATH": str(Path(greenroom.__file__).parents[1])}
        command = [sys.executable, "-X", "faulthandler=0", str(file)]
        environ.pop("PYTHONFAULTHANDLER", None)
        return subprocess.run(
            command, check=False, capture_output=True, text=True, timeout=seconds, cwd=tmp_path, env=environ
        )

    return run
