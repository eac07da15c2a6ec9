"""A backlog: the SQLite store asked for work while a million jobs lie in it."""

from __future__ import annotations

import json
from time import perf_counter, sleep

from benchmarks.load import PAYLOAD, quantile
from benchmarks.side import Figures, Plan
from greenroom._ids import Ids
from greenroom.clock import SECOND, SystemClock
from greenroom.job import Job
from greenroom.stores import SqliteStore
from greenroom.stores._checkup import REST
from greenroom.stores.base import Claim

JOBS = 1_000_000
BATCH = 10_000
CLAIMS, CLAIMS_MEANWHILE = 1_000, 300
SLOTS = 100
HOUR = 3600 * SECOND
LANE = "greenlet"


def prepare(plan: Plan) -> Figures:
    """Leave two files behind: one of ready jobs, one of jobs due in one to two hours."""
    count, now = plan.of(JOBS), SystemClock().now()
    _fill(f"{plan.shared}/ready.db", count, first=now - HOUR)
    _fill(f"{plan.shared}/future.db", count, first=now + HOUR)
    return {"jobs": count}


def ready(plan: Plan) -> Figures:
    """A hundred free slots, always filled."""
    return _claims(plan, "ready.db", expected=SLOTS)


def future(plan: Plan) -> Figures:
    return _claims(plan, "future.db", expected=0)


def _claims(plan: Plan, file: str, *, expected: int) -> Figures:
    store = SqliteStore(f"{plan.shared}/{file}")
    store.open()
    try:
        taken = _seconds_of(store, CLAIMS, expected)
        sleep(REST + 0.05)  # by then the file has begun to be checked, on the other core
        meanwhile = _seconds_of(store, CLAIMS_MEANWHILE, expected)
    finally:
        store.close()
    return {"p50": quantile(taken, 0.5), "p99": quantile(taken, 0.99), "p99_while_checked": quantile(meanwhile, 0.99)}


def _seconds_of(store: SqliteStore, claims: int, expected: int) -> list[float]:
    """What each claim took, as long as it finds what is expected."""
    clock, taken = SystemClock(), []
    for _ in range(claims):
        started = perf_counter()
        claimed = store.claim(Claim(now=clock.now(), slots={LANE: SLOTS}))
        taken.append(perf_counter() - started)
        if len(claimed.jobs) < expected:
            break  # a --quick backlog runs out
    return taken


def _fill(path: str, count: int, *, first: int) -> None:
    store = SqliteStore(path)
    store.open()
    ids, payload = Ids(store.worker), json.dumps([[], PAYLOAD])
    for start in range(0, count, BATCH):
        store.add(
            [
                Job(
                    id=ids.make(first),
                    task="app.views.send_contact",
                    payload=payload,
                    queue_name="default",
                    lane=LANE,
                    priority=0,
                    max_attempts=1,
                    run_after=first + number * HOUR // count,
                    expires_at=None,
                    enqueued_at=first,
                )
                for number in range(start, min(start + BATCH, count))
            ]
        )
    store.close()
