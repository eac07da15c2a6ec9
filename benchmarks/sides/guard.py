"""The guard's price where nothing needs it: tasks that end at once, with pre-emption on and off.

Two per cent are less than what two processes differ by, so on and off take turns within one process, in short stints;
and the best of each is taken, for whatever else the machine does can only make a stint slower.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from benchmarks.side import Figures, Plan, Unavailable
from benchmarks.sides import durable, volatile
from greenroom import Greenroom

STINTS = 8

Measured = Callable[[Plan, Callable[[str], Greenroom]], Figures]


def durable_jobs(plan: Plan) -> Figures:
    return _best(plan, durable.enqueue_to_done)


def volatile_tasks(plan: Plan) -> Figures:
    return _best(plan, volatile.task_to_result)


def _best(plan: Plan, measured: Measured) -> Figures:
    if "preempt" not in inspect.signature(Greenroom).parameters:
        raise Unavailable("this greenroom does not pre-empt: Greenroom takes no preempt=")
    rates: dict[str, list[float]] = {"on": [], "off": []}
    for number in range(STINTS):
        # Whoever comes second finds a warmer process: each does so as often as the other.
        for switch in ("on", "off") if number % 2 else ("off", "on"):
            directory = Path(plan.directory, f"{switch}-{number}")
            directory.mkdir()
            stint = replace(plan, seconds=plan.seconds / 5, directory=str(directory))
            rates[switch].append(measured(stint, partial(Greenroom, preempt=switch == "on"))["rate"])
    return {switch: max(of_switch) for switch, of_switch in rates.items()}
