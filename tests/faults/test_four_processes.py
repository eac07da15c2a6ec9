"""Several processes on one file: no job is claimed twice, none is left, and each hears of the others at once."""

import os
import subprocess
import sys

import pytest

from tests.faults import siblings
from tests.faults.checker import Stored
from tests.faults.stored import SUCCESSFUL

pytestmark = [pytest.mark.integration, pytest.mark.slow]

JOBS = int(os.environ.get("GREENROOM_SIBLINGS_JOBS", "10000"))


def test_four_processes_share_their_jobs_fairly_and_none_is_claimed_twice(tmp_path):
    played = siblings.play(tmp_path, processes=4, jobs=JOBS)

    sys.stdout.write(f"{played}\n")
    assert not played.report.broken, played.report
    assert played.errors == []  # "database is locked" among them
    assert played.report.figures["started again"] == 0
    assert sum(played.ran) == 4 * JOBS
    assert played.fairness <= 2


def test_processes_hear_of_each_other(tmp_path):
    # A process of its own: this one is not patched.
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults.bells", "--jobs", "100"],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )

    sys.stdout.write(done.stdout)
    assert done.returncode == 0, done.stderr
    assert "enqueued in A, begun in B: p50 " in done.stdout


def test_jobs_of_a_new_task_are_left_by_old_code_to_the_new_one(tmp_path):
    """D5: during a deploy both run, and the old ones may be the first to claim."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults.old_and_new", str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )

    sys.stdout.write(done.stdout)
    assert done.returncode == 0, done.stderr
    rows = Stored.of(tmp_path / "greenroom.db").rows.values()
    assert [(row.state, row.attempt) for row in rows] == [(SUCCESSFUL, 1)] * 40
