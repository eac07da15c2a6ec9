"""How soon one process hears of another on the same file: python -m tests.faults.bells [--jobs 300]

A enqueues and does not run, B runs: from when `enqueue` has returned in A until the task begins in B, and from the
task's last line in B until `result.wait()` returns in A. Between the last two B puts the outcome on disk.
"""

from gevent import monkey

monkey.patch_all()

import argparse
import subprocess
import sys
import tempfile
import time
from statistics import quantiles

import gevent
from gevent.event import Event

from greenroom import Greenroom

PATIENCE = 20.0


def look():
    return time.monotonic()


def declare(folder):
    room = Greenroom(f"sqlite:///{folder}/greenroom.db")
    return room, room.task(name="look")(look)


def run(folder):
    """B, until its input ends."""
    room, _ = declare(folder)
    room.start()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    gevent.get_hub().threadpool.apply(sys.stdin.read)
    room.stop(0)


def measure(folder, jobs):
    """A: milliseconds until each began, and until each was known here to have ended."""
    command = [sys.executable, "-m", "tests.faults.bells", "--run", str(folder)]
    other = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert other.stdout.readline() == "ready\n"
        room, task = declare(folder)
        begun, known = [], []
        for _ in range(jobs):
            result = task.enqueue()
            enqueued = time.monotonic()
            at = result.wait(PATIENCE).return_value
            known.append((time.monotonic() - at) * 1000)
            begun.append((at - enqueued) * 1000)
            Event().wait(0.005)
        room.stop(0)
    finally:
        other.stdin.close()
        other.wait(PATIENCE)
    return begun, known


def told(what, milliseconds):
    cuts = quantiles(milliseconds, n=100, method="inclusive")
    return f"{what}: p50 {cuts[49]:.2f} ms, p99 {cuts[98]:.2f} ms"


def report(begun, known):
    return f"{told('enqueued in A, begun in B', begun)}; {told('ended in B, known in A', known)}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=300)
    parser.add_argument("--run", metavar="FOLDER", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.run:
        run(options.run)
    else:
        with tempfile.TemporaryDirectory() as folder:
            sys.stdout.write(f"{report(*measure(folder, options.jobs))}\n")
