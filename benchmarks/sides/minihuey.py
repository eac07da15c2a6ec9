"""MiniHuey: the in-memory peer, a fresh greenlet for each task."""

from __future__ import annotations

import sys
from datetime import datetime

# huey imports both when they are installed, which costs 18 MiB and 200 ms that MiniHuey does not need.
sys.modules.update(redis=None, psycopg=None)

from huey.contrib.mini import MiniHuey

from benchmarks.heartbeat import Heartbeat
from benchmarks.load import PAYLOAD, Tally, from_enqueuers, rate_of, warm_up
from benchmarks.memory import resident
from benchmarks.punctuality import Punctuality
from benchmarks.side import Figures, Plan

CHUNK = 1000


def enqueue_to_done(plan: Plan) -> Figures:
    """From the same hundred enqueuers as greenroom's, in the same loop."""
    return _enqueue_to_done(plan, gives_way=False)


def enqueue_to_done_giving_way(plan: Plan) -> Figures:
    """At its best: each enqueuer sleeps for 0 s after each call, so that few greenlets are alive at a time."""
    return _enqueue_to_done(plan, gives_way=True)


def _enqueue_to_done(plan: Plan, *, gives_way: bool) -> Figures:
    huey, tally = MiniHuey(), Tally()
    huey.start()

    @huey.task()
    def noop(**_payload: str) -> None:
        tally.add()

    def work(count: int) -> None:
        tally.expect(count)
        from_enqueuers(count, lambda: noop(**PAYLOAD), gives_way=gives_way)
        tally.wait()

    count = warm_up(work, plan.seconds)
    with Heartbeat() as beat:
        rate = rate_of(work, count)
    return {"rate": rate, **beat.figures}


def to_result(plan: Plan) -> Figures:
    """Call a thousand, wait for all the results, again and again."""
    huey = MiniHuey()

    @huey.task()
    def same(number: int) -> int:
        return number

    def work(count: int) -> None:
        for _ in range(0, count, CHUNK):
            for result in [same(number) for number in range(CHUNK)]:
                result.get()

    return {"rate": rate_of(work, warm_up(work, plan.seconds) // CHUNK * CHUNK or CHUNK)}


def pending(plan: Plan) -> Figures:
    huey = MiniHuey()

    @huey.task()
    def same(number: int) -> int:
        return number

    for result in [same(number) for number in range(CHUNK)]:
        result.get()
    count, before = max(20_000, plan.of(100_000)), resident()
    for number in range(count):
        same(number)
    return {"each": (resident() - before) / count}


def lateness(plan: Plan) -> Figures:
    """Its scheduler looks once a second, so this is the interval that one sees."""
    huey, punctuality = MiniHuey(), Punctuality(plan)
    huey.start()

    @huey.task()
    def started(due: float) -> None:
        punctuality.started(due)

    for due in punctuality.dues:
        started.schedule(args=(due,), eta=datetime.fromtimestamp(due))  # noqa: DTZ006 - it knows only naive times
    return punctuality.figures()
