"""The guard's price where nothing needs it: tasks that end at once, with pre-emption on and off.

Two per cent are less than what two processes differ by, or the same one a second later. So on and off take turns
within one process, in short stints, and the two of a pair are compared: the median of these ratios counts.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import median

from benchmarks.side import Figures, Plan, Unavailable
from benchmarks.sides import durable, volatile
from greenroom import Greenroom

PAIRS = 61

Measured = Callable[[Plan, Callable[[str], Greenroom]], Figures]


def durable_jobs(plan: Plan) -> Figures:
    return _in_turn(plan, durable.enqueue_to_done)


def volatile_tasks(plan: Plan) -> Figures:
    return _in_turn(plan, volatile.task_to_result)


def _in_turn(plan: Plan, measured: Measured) -> Figures:
    if "preempt" not in inspect.signature(Greenroom).parameters:
        raise Unavailable("this greenroom does not pre-empt: Greenroom takes no preempt=")
    pairs: list[dict[str, float]] = []
    for number in range(PAIRS):
        pairs.append({})
        # Whoever comes second finds a warmer process: each does so as often as the other.
        for switch in ("on", "off") if number % 2 else ("off", "on"):
            directory = Path(plan.directory, f"{switch}-{number}")
            directory.mkdir()
            stint = replace(plan, seconds=plan.seconds / 10, directory=str(directory))
            pairs[-1][switch] = measured(stint, partial(Greenroom, preempt=switch == "on"))["rate"]
    off = median(pair["off"] for pair in pairs)
    return {"on": off * median(pair["on"] / pair["off"] for pair in pairs), "off": off}
