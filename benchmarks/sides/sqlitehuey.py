"""SqliteHuey with its consumer in the same process: the durable peer."""

from __future__ import annotations

import sys

sys.modules.update(redis=None, psycopg=None)  # see minihuey.py

from huey import SqliteHuey

from benchmarks.heartbeat import Heartbeat
from benchmarks.load import PAYLOAD, Tally, from_enqueuers, rate_of, warm_up
from benchmarks.side import Figures, Plan

WORKERS = 10


def enqueue_to_done(plan: Plan) -> Figures:
    huey, tally = SqliteHuey(filename=f"{plan.directory}/huey.db", fsync=True), Tally()

    @huey.task()
    def noop(**_payload: str) -> None:
        tally.add()

    def work(count: int) -> None:
        tally.expect(count)
        from_enqueuers(count, lambda: noop(**PAYLOAD))
        tally.wait()

    # As shipped an idle worker sleeps for up to 10 s; that wait is not what we compare, so it is kept short.
    consumer = huey.create_consumer(
        workers=WORKERS, worker_type="greenlet", periodic=False, initial_delay=0.001, max_delay=0.01
    )
    consumer.start()
    count = warm_up(work, plan.seconds)
    with Heartbeat() as beat:
        rate = rate_of(work, count)
    consumer.stop()
    return {"rate": rate, **beat.figures}
