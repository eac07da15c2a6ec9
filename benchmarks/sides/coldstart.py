"""A cold start: from the start of a Python process to its first job done."""

from __future__ import annotations

import os
import subprocess
import sys
from statistics import median
from time import monotonic

from benchmarks.side import Figures, Plan

STARTS = 15


def room(plan: Plan) -> Figures:
    """All but the first start find the store that the first one made, as after a deploy."""
    return _taken(plan, "first_job_room", BENCHMARK_STORE=f"sqlite:///{plan.directory}/greenroom.db")


def minihuey(plan: Plan) -> Figures:
    return _taken(plan, "first_job_minihuey")


def _taken(plan: Plan, app: str, **environment: str) -> Figures:
    starts = [_once(app, environment) for _ in range(1 + max(1, plan.of(STARTS)))]
    return {"taken": median(starts[1:])}  # the first one also filled the page cache


def _once(app: str, environment: dict[str, str]) -> float:
    started = monotonic()  # CLOCK_MONOTONIC: the same clock in every process
    run = subprocess.run(
        [sys.executable, "-m", f"benchmarks.apps.{app}"],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if run.returncode != 0:
        raise RuntimeError(f"{app} exited with {run.returncode}: {run.stderr.strip()[-1000:]}")
    return float(run.stdout.strip().splitlines()[-1]) - started
