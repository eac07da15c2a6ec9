"""The limits: what SQLite, a deque and gevent do with nothing of ours around them."""

from __future__ import annotations

import json
import sqlite3
from collections import deque
from time import time

import gevent
from gevent.event import Event

from benchmarks.load import PAYLOAD, Tally, rate_of, warm_up
from benchmarks.punctuality import Punctuality
from benchmarks.side import Figures, Plan
from greenroom._ids import Ids
from greenroom.job import Job
from greenroom.stores._rows import sql, to_row

BATCH = 1000
CHUNK = 1000
WORKERS = 100


def batched_inserts(plan: Plan) -> Figures:
    """A thousand rows a COMMIT, each synced to the disk, into a table with one index."""
    database = sqlite3.connect(f"{plan.directory}/raw.db", isolation_level=None)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = FULL")
    database.execute(
        "CREATE TABLE job (id INTEGER PRIMARY KEY, status INTEGER NOT NULL, queue_name TEXT NOT NULL,"
        " priority INTEGER NOT NULL, run_after INTEGER NOT NULL, task TEXT NOT NULL, payload TEXT NOT NULL)"
    )
    database.execute("CREATE INDEX ready ON job (queue_name, priority, id) WHERE status = 0")
    payload, now = json.dumps(PAYLOAD), int(time() * 1e6)
    rows = [(0, "default", 0, now, "app.views.send_contact", payload)] * BATCH

    def work(count: int) -> None:
        for _ in range(0, count, BATCH):
            database.execute("BEGIN IMMEDIATE")
            database.executemany(f"INSERT INTO job VALUES (NULL{', ?' * len(rows[0])})", rows)
            database.execute("COMMIT")

    return {"rate": rate_of(work, warm_up(work, plan.seconds) // BATCH * BATCH or BATCH)}


def batched_jobs(plan: Plan) -> Figures:
    """The same rows that greenroom writes, into the same table with its indexes, a thousand a COMMIT."""
    database = sqlite3.connect(f"{plan.directory}/raw.db", isolation_level=None)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = FULL")
    for statement in sql("schema").split(";\n"):
        database.execute(statement)
    ids, payload = Ids(1), json.dumps([[], PAYLOAD])

    def row() -> dict[str, object]:
        now = int(time() * 1e6)
        job = Job(ids.make(now), "app.send_contact", payload, "default", "greenlet", 0, 3, now, None, now)
        return {column: value for column, value in zip(columns, to_row(job, now), strict=True) if value is not None}

    columns = [name for _, name, *_ in database.execute("PRAGMA table_info(job)")]
    bound = ", ".join(row())
    statement = f"INSERT INTO job ({bound}) VALUES ({', '.join('?' * len(row()))})"

    def insert(rows: list[tuple[object, ...]]) -> None:
        for start in range(0, len(rows), BATCH):
            database.execute("BEGIN IMMEDIATE")
            database.executemany(statement, rows[start : start + BATCH])
            database.execute("COMMIT")

    count = warm_up(lambda count: insert([(*row().values(),) for _ in range(count)]), plan.seconds)
    rows = [(*row().values(),) for _ in range(count // BATCH * BATCH or BATCH)]
    return {"rate": rate_of(lambda _: insert(rows), len(rows))}


def worker_greenlets(plan: Plan) -> Figures:
    """A deque and a hundred greenlets that stay: calls in, results into a list."""
    calls: deque[int] = deque()
    ready, tally = Event(), Tally()
    results: list[int] = []

    def same(number: int) -> int:
        return number

    def worker() -> None:
        while True:
            ready.wait()
            while calls:
                results.append(same(calls.popleft()))
                tally.add()
            ready.clear()

    crew = [gevent.spawn(worker) for _ in range(WORKERS)]

    def work(count: int) -> None:
        for _ in range(0, count, CHUNK):
            tally.expect(CHUNK)
            calls.extend(range(CHUNK))
            ready.set()
            tally.wait()
            results.clear()

    rate = rate_of(work, warm_up(work, plan.seconds) // CHUNK * CHUNK or CHUNK)
    gevent.killall(crew)
    return {"rate": rate}


def spawned_greenlets(plan: Plan) -> Figures:
    """gevent.spawn for each call, then get for each result."""

    def same(number: int) -> int:
        return number

    def work(count: int) -> None:
        for _ in range(0, count, CHUNK):
            for greenlet in [gevent.spawn(same, number) for number in range(CHUNK)]:
                greenlet.get()

    return {"rate": rate_of(work, warm_up(work, plan.seconds) // CHUNK * CHUNK or CHUNK)}


def spawn_later(plan: Plan) -> Figures:
    punctuality, loop = Punctuality(plan), gevent.get_hub().loop
    for due in punctuality.dues:
        loop.update_now()  # a timer counts from the loop's clock, which stands still meanwhile: they would be early
        gevent.spawn_later(due - time(), punctuality.started, due)
    return punctuality.figures()
