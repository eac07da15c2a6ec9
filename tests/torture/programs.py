"""Programs of the tests: run as processes of their own, since they end, fork, or own signals."""

import subprocess
import sys
from pathlib import Path
from textwrap import dedent

BEGINNING = """\
from gevent import monkey
monkey.patch_all()
import logging, os, signal, sys, time
import gevent
from greenroom import Greenroom
from greenroom._guard import guard_here

def spin(seconds):
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        pass
    return "spun"

def take_signals(*numbers):
    for number in numbers:
        signal.signal(number, lambda number, frame: heard.append(number))

def until_preempted(times=20):
    before = guard_here().preemptions
    while guard_here().preemptions < before + times:
        gevent.sleep(0.001)

logging.getLogger("greenroom.monitor").setLevel(logging.ERROR)  # a busy machine holds up loops, and it would say so
heard = []
room = Greenroom("memory://")
"""


def run(program, *, options=(), folder=None, timeout=60):
    """What a program came to: its exit status, what it said, and what it complained of."""
    text = BEGINNING + dedent(program)
    command = [sys.executable, *options, "-c", text]
    if folder is not None:
        path = Path(folder, "program.py")
        path.write_text(text)
        command[-2:] = [str(path)]
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False, cwd=folder)


def say(program, **how):
    """What a program said that ended well and had nothing to complain of."""
    done = run(program, **how)
    assert done.returncode == 0, (done.returncode, done.stderr)
    # It ends with tasks that compute, and is told so.
    complaints = [
        line for line in done.stderr.splitlines() if "something computes on while the room stops" not in line
    ]
    assert not complaints, done.stderr
    return done.stdout.split()
