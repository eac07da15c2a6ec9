"""Volatile work: calls that live in memory only, with a result to wait for."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.load import rate_of, warm_up
from benchmarks.memory import resident
from benchmarks.side import Figures, Plan
from greenroom import Greenroom

CHUNK = 1000


def same(number: int) -> int:
    return number


def spawn_to_result(plan: Plan) -> Figures:
    """Spawn a thousand, wait for all the results, again and again."""
    room = Greenroom("memory://")
    room.start()

    def work(count: int) -> None:
        for _ in range(0, count, CHUNK):
            for result in [room.spawn(same, number) for number in range(CHUNK)]:
                result.get()

    rate = rate_of(work, warm_up(work, plan.seconds) // CHUNK * CHUNK or CHUNK)
    room.stop()
    return {"rate": rate}


def task_to_result(plan: Plan, make: Callable[[str], Greenroom] = Greenroom) -> Figures:
    room = make("memory://")
    task = room.task(durable=False)(same)
    room.start()

    def work(count: int) -> None:
        for _ in range(0, count, CHUNK):
            for result in [task.enqueue(number) for number in range(CHUNK)]:
                result.wait()

    rate = rate_of(work, warm_up(work, plan.seconds) // CHUNK * CHUNK or CHUNK)
    room.stop()
    return {"rate": rate}


def pending(plan: Plan) -> Figures:
    """Called and not yet run, with nobody waiting: as a request leaves them."""
    room = Greenroom("memory://")
    room.start()
    for result in [room.spawn(same, number) for number in range(CHUNK)]:
        result.get()
    count, before = max(20_000, plan.of(100_000)), resident()
    for number in range(count):
        room.spawn(same, number)
    return {"each": (resident() - before) / count}
