"""Durable jobs: enqueued by a hundred greenlets that each wait for their commit, run in the same process."""

from __future__ import annotations

import json
from collections.abc import Callable
from time import time

from gevent import sleep

from benchmarks.heartbeat import Heartbeat
from benchmarks.load import PAYLOAD, Tally, from_enqueuers, rate_of, warm_up
from benchmarks.side import Figures, Plan
from greenroom import Greenroom, Status
from greenroom._ids import Ids
from greenroom.job import Job
from greenroom.stores import SqliteStore

tally = Tally()


def noop(**_payload: str) -> None:
    tally.add()


def enqueue_to_done(plan: Plan, make: Callable[[str], Greenroom] = Greenroom) -> Figures:
    """Done is when the outcome of the last one is on the disk, not when its function returned."""
    room = make(f"sqlite:///{plan.directory}/greenroom.db")
    task, before = room.task()(noop), tally.done

    def work(count: int) -> None:
        tally.expect(count)
        from_enqueuers(count, lambda: task.enqueue(**PAYLOAD))
        tally.wait()
        _settle(room, tally.done - before)

    room.start()
    count = warm_up(work, plan.seconds)
    with Heartbeat() as beat:
        rate = rate_of(work, count)
    room.stop()
    return {"rate": rate, **beat.figures}


def enqueue_alone(plan: Plan) -> Figures:
    """The runner is not started: nothing but the way to the disk."""
    room = Greenroom(f"sqlite:///{plan.directory}/greenroom.db")
    task = room.task()(noop)

    def work(count: int) -> None:
        from_enqueuers(count, lambda: task.enqueue(**PAYLOAD))

    return {"rate": rate_of(work, warm_up(work, plan.seconds))}


def add_alone(plan: Plan) -> Figures:
    """The store alone: a hundred greenlets that each wait for the commit of a job that is made already."""
    store = SqliteStore(f"{plan.directory}/greenroom.db")
    store.open()
    ids, payload = Ids(store.worker), json.dumps([[], PAYLOAD])

    def add() -> None:
        now = int(time() * 1e6)
        store.add([Job(ids.make(now), "app.send_contact", payload, "default", "greenlet", 0, 3, now, None, now)])

    def work(count: int) -> None:
        from_enqueuers(count, add)

    rate = rate_of(work, warm_up(work, plan.seconds))
    store.close()
    return {"rate": rate}


def _settle(room: Greenroom, done: int) -> None:
    while room.counts()[Status.SUCCESSFUL] < done:
        sleep(0.001)
