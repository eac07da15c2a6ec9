"""A room with a task for any chore, in the lane that BENCHMARK_LANE names.

A module without a server, because a child process of the lane "process" imports it too.
"""

from __future__ import annotations

import inspect
import os

from benchmarks.chores import CHORES
from benchmarks.side import Unavailable
from greenroom import Greenroom, GreenroomError

LANE = os.environ.get("BENCHMARK_LANE", "greenlet")

if "preempt" not in inspect.signature(Greenroom).parameters:
    raise Unavailable("this greenroom does not pre-empt: Greenroom takes no preempt=")

room = Greenroom(os.environ.get("BENCHMARK_STORE", "memory://"))


def noop() -> None:
    return None


def do_chore(name: str) -> None:
    CHORES[name]()


try:
    chore = room.task(lane=LANE, max_attempts=1)(do_chore)
    nothing = room.task(lane=LANE, max_attempts=1)(noop)
except GreenroomError as lack:
    raise Unavailable(str(lack)) from None
