"""The process lane: what a child process adds to a job that does nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib import import_module
from time import perf_counter

from benchmarks.load import quantile
from benchmarks.side import Figures, Plan

APP = "benchmarks.apps.room"
TRIPS = 500


def round_trip(plan: Plan, lane: str) -> Figures:
    """From enqueue to result, one at a time, without a disk; and how long the first one took."""
    os.environ["BENCHMARK_LANE"] = lane
    from benchmarks.apps.room import nothing, room

    room.start()
    trips = [_timed(lambda: nothing.enqueue().wait(30).return_value) for _ in range(1 + max(50, plan.of(TRIPS)))]
    room.stop(drain=1)
    return {"first": trips[0], "p50": quantile(trips[1:], 0.5)}


def import_alone(_plan: Plan) -> Figures:
    """A fresh interpreter that imports the same app: what no child process can do without."""
    import_module(APP)  # it may be Unavailable
    command = [sys.executable, "-c", f"import {APP}"]
    subprocess.run(command, check=True, timeout=60)  # fills the page cache
    return {"taken": min(_timed(lambda: subprocess.run(command, check=True, timeout=60)) for _ in range(3))}


def _timed(call) -> float:
    started = perf_counter()
    call()
    return perf_counter() - started
