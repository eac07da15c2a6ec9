"""A forked child has copies of all that its parent has, and runs none of it; and other moments to enqueue at."""

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from greenroom import Greenroom, Status, StoreUnavailable

pytestmark = [pytest.mark.integration, pytest.mark.slow]

FORKING = Path(__file__).with_name("forking.py")


@pytest.fixture
def marks(tmp_path):
    """What a process leaves word of that acts so, once it has ended by itself."""

    def act(name):
        command = [sys.executable, FORKING, tmp_path, name]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        return (tmp_path / "marks").read_text().splitlines()

    return act


@pytest.fixture
def counts(tmp_path):
    """How many jobs there are of each status, once no process has the file open."""

    def look():
        room = Greenroom(f"sqlite:///{tmp_path}/greenroom.db")
        found = room.counts()
        room.stop(0)
        return {status: number for status, number in found.items() if number}

    return look


def test_a_child_runs_nothing_of_its_parents_and_the_parent_goes_on(marks, counts, tmp_path):
    found = marks("fork_while_it_runs")
    (refused,) = [line for line in found if line.startswith("sqlite:///")]
    assert refused.startswith(f"sqlite:///{tmp_path}/greenroom.db cannot be used here: it was open in process ")
    assert "SQLite cannot be used on both sides of a fork" in refused
    in_child = [line.removesuffix(" in a child") for line in found if line.endswith("in a child") and line != refused]
    assert in_child == ["started False", "over"]
    in_parent = Counter(line for line in found if line.endswith("in the parent"))
    wanted = ["computed", "exit code 7", *(f"tick {n}" for n in range(11)), *(f"idle {n}" for n in range(10))]
    assert in_parent.pop("slot in the parent") > 0
    assert in_parent == Counter(f"{words} in the parent" for words in wanted)
    assert counts()[Status.SUCCESSFUL] > 22


def test_a_child_of_one_that_has_not_used_the_room_has_a_store_of_its_own(marks, counts):
    assert marks("fork_before_it_is_used") == [
        "started False in a child",
        "enqueued 1 in a child",
        "tick 1 in a child",
        "tick 2 in a child",
        "exit code 7 in the parent",
    ]
    assert counts() == {Status.SUCCESSFUL: 2}


def test_no_child_of_multiprocessing_starts(marks):
    assert marks("run_multiprocessing") == [
        "fork started False in a child",
        "fork exit code 0 in the parent",
        "spawn started False in the parent",  # to itself it is the first
        "spawn exit code 0 in the parent",
    ]


@pytest.mark.parametrize(
    "moment", ["enqueue_at_exit", "enqueue_at_exit_after_the_stop", "enqueue_as_it_is_collected"]
)
def test_what_is_enqueued_at_odd_moments_is_kept(marks, counts, moment):
    assert [line for line in marks(moment) if line.startswith("enqueued")] == [
        "enqueued 1" if "collected" in moment else "enqueued 1 in the parent"
    ]
    assert sum(counts().values()) == 1


def test_what_is_enqueued_when_python_ends_is_refused(marks, counts):
    assert marks("enqueue_as_python_ends") == ["refused"]
    assert counts() == {}


def test_a_signal_handler_may_enqueue_unless_it_meets_the_event_loop_which_says_so(marks, counts):
    found = [line for line in marks("enqueue_in_a_handler") if not line.startswith("tick")]
    assert found[0] == "enqueued 1 in the parent"
    assert "was asked from the event loop itself, which cannot wait. Call it in a greenlet" in found[1]
    assert counts() == {Status.SUCCESSFUL: 1}


def test_the_thread_that_stores_is_not_made_to_wait_for_itself(tmp_path):
    room = Greenroom(f"sqlite:///{tmp_path}/greenroom.db")
    room.counts()
    store = room._store
    with pytest.raises(StoreUnavailable, match="was asked on its own thread, which would wait for itself"):
        store._writer.run(lambda: store.add([]))
    room.stop(0)
