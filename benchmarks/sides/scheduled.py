"""Scheduled durable jobs: how late they start, and what a million of them weigh."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from gevent import sleep

from benchmarks.load import PAYLOAD
from benchmarks.memory import resident
from benchmarks.punctuality import Punctuality
from benchmarks.side import Figures, Plan
from greenroom import Greenroom

JOBS = 1_000_000
BATCH = 10_000

expected: list[Punctuality] = []  # a durable task is a module's function, and so is what it tells


def started(due: float) -> None:
    expected[0].started(due)


def noop(**_payload: str) -> None:
    return None


def lateness(plan: Plan) -> Figures:
    room = Greenroom(f"sqlite:///{plan.directory}/greenroom.db")
    task = room.task()(started)
    room.start()
    expected.append(Punctuality(plan))
    for due in expected[0].dues:
        task.using(run_after=datetime.fromtimestamp(due, UTC)).enqueue(due)
    figures = expected[0].figures()
    room.stop()
    return figures


def prepare(plan: Plan) -> Figures:
    """A million jobs, due in one to two hours."""
    room, count = Greenroom(f"sqlite:///{plan.shared}/full.db"), plan.of(JOBS)
    task, begin = room.task()(noop), datetime.now(UTC) + timedelta(hours=1)
    for start in range(0, count, BATCH):
        room.enqueue_many(
            task.using(run_after=begin + timedelta(hours=number / count)).prepare(**PAYLOAD)
            for number in range(start, min(start + BATCH, count))
        )
    room.stop()
    return {"jobs": count}


def full(plan: Plan) -> Figures:
    return _at_rest(plan, f"{plan.shared}/full.db")


def empty(plan: Plan) -> Figures:
    return _at_rest(plan, f"{plan.directory}/empty.db")


def _at_rest(plan: Plan, path: str) -> Figures:
    room = Greenroom(f"sqlite:///{path}")
    room.task()(noop)
    room.start()
    sleep(plan.seconds)
    return {"resident": resident()}
