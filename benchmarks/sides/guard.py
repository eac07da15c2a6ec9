"""The guard's price where nothing needs it: tasks that end at once, with pre-emption on and off."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial

from benchmarks.side import Figures, Plan, Unavailable
from benchmarks.sides import durable, volatile
from greenroom import Greenroom


def durable_jobs(plan: Plan, switch: str) -> Figures:
    return durable.enqueue_to_done(plan, _maker(switch))


def volatile_tasks(plan: Plan, switch: str) -> Figures:
    return volatile.task_to_result(plan, _maker(switch))


def _maker(switch: str) -> Callable[[str], Greenroom]:
    if "preempt" not in inspect.signature(Greenroom).parameters:
        raise Unavailable("this greenroom does not pre-empt: Greenroom takes no preempt=")
    return partial(Greenroom, preempt=switch == "on")
