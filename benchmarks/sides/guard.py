"""The guard's price where nothing needs it: tasks that end at once, with pre-emption on and off.

Two per cent are less than what two processes differ by, or the same one a second later. So on and off take turns
within one process, in short stints, and the two of a pair are compared: the median of these ratios counts. As even
those lean to one side in one process and to the other in the next, there are several.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from benchmarks.pairs import in_turn
from benchmarks.side import Figures, Plan, Unavailable
from benchmarks.sides import durable, volatile
from greenroom import Greenroom

PAIRS = 61

Measured = Callable[[Plan, Callable[[str], Greenroom]], Figures]


def durable_jobs(plan: Plan) -> Figures:
    return _on_and_off(plan, durable.enqueue_to_done)


def volatile_tasks(plan: Plan) -> Figures:
    return _on_and_off(plan, volatile.task_to_result)


def _on_and_off(plan: Plan, measured: Measured) -> Figures:
    if "preempt" not in inspect.signature(Greenroom).parameters:
        raise Unavailable("this greenroom does not pre-empt: Greenroom takes no preempt=")

    def rate(switch: str, number: int) -> float:
        directory = Path(plan.directory, f"{switch}-{number}")
        directory.mkdir()
        stint = replace(plan, seconds=plan.seconds / 10, directory=str(directory))
        return measured(stint, partial(Greenroom, preempt=switch == "on"))["rate"]

    on, off = in_turn(PAIRS, partial(rate, "on"), partial(rate, "off"))
    return {"on": on, "off": off}
