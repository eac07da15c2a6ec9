"""The dead man's switch: what holds the loop is shown while it does, even if it never lets Python speak again."""

import signal

import pytest

from greenroom import Greenroom, InvalidOption

pytestmark = [pytest.mark.integration, pytest.mark.slow]

# Backtracks for a time that doubles with each letter, and keeps the GIL.
PROGRAM = """
from gevent import monkey; monkey.patch_all()
import re
import sys
import time
import gevent
from greenroom import Greenroom

room = Greenroom("memory://", **{options})
room.monitor.stuck_after = {stuck_after}

def match_badly(letters):
    return re.match("(a+)+$", "a" * letters + "b")

def match_for(seconds):
    ends = time.perf_counter() + seconds
    letters = 14
    while time.perf_counter() < ends:  # in one turn of the loop: its end is in C, where nothing is put aside
        match_badly(letters)

task = room.task(preempt=False)(match_for)
endless = room.task(match_badly)
room.start()
gevent.sleep(0.01)
{act}
print("the end", flush=True)
"""


@pytest.fixture
def play(run_alone):
    def run(act, *, stuck_after=0.5, **options):
        return run_alone(PROGRAM.format(act=act, stuck_after=stuck_after, options=options))

    return run


def test_what_holds_the_loop_is_shown_once(play):
    done = play("task.enqueue(2).wait(20); gevent.sleep(0.1)")
    assert done.stdout == "the end\n", done.stderr
    assert done.returncode == 0
    assert done.stderr.count("Stack (most recent call first):") == 1
    shown = done.stderr.partition("Stack (most recent call first):")[2]
    assert "in match_for" in shown


def test_c_code_that_never_ends_is_shown_with_its_caller(play):
    done = play("gevent.spawn(endless.enqueue, 60); gevent.sleep(5)", stuck_after=0.3, abort_after=2)
    assert done.returncode == -signal.SIGABRT
    assert done.stderr.count("Stack (most recent call first):") == 1
    assert done.stderr.count("in match_badly") >= 2  # while it lasted, and at the end
    assert "Fatal Python error: Aborted" in done.stderr
    assert done.stdout == ""


def test_a_room_in_which_nothing_is_put_aside_can_be_ended_too(play):
    done = play("gevent.spawn(endless.enqueue, 60); gevent.sleep(5)", abort_after=1, preempt=False)
    assert done.returncode == -signal.SIGABRT
    assert "in match_badly" in done.stderr


def test_the_least_patient_room_of_a_process_counts(play):
    act = 'Greenroom("memory://", abort_after=1).start(); gevent.spawn(endless.enqueue, 60); gevent.sleep(5)'
    done = play(act, abort_after=3600)
    assert done.returncode == -signal.SIGABRT


def test_nothing_is_shown_while_the_loop_rests(play):
    done = play("room.task(name='little')(match_badly).enqueue(3).wait(5); gevent.sleep(2)", abort_after=1)
    assert (done.stdout, done.stderr, done.returncode) == ("the end\n", "", 0)


def test_nothing_is_shown_while_what_computes_is_put_aside(play):
    act = "room.task(preempt=True, name='fair')(count).enqueue(1.5).wait(20)"
    count = (
        "def count(seconds):\n"
        "    ends = time.thread_time() + seconds\n"
        "    while time.thread_time() < ends:\n"
        "        for _ in range(1000): pass\n"
    )
    done = play(f"{count}{act}", stuck_after=1.2)
    assert "Stack" not in done.stderr
    assert done.stdout == "the end\n", done.stderr


def test_nothing_is_shown_once_the_room_has_stopped(play):
    done = play("room.stop(); time.sleep(0); monkey.get_original('time', 'sleep')(1.5)", abort_after=1)
    assert (done.stdout, done.stderr, done.returncode) == ("the end\n", "", 0)


@pytest.mark.parametrize("wanted", [0, -1, "1", True, float("inf")])
def test_a_patience_that_makes_no_sense_is_refused(wanted):
    with pytest.raises(InvalidOption, match="abort_after=.* is out of range: use a number greater than 0, or None."):
        Greenroom("memory://", abort_after=wanted)
