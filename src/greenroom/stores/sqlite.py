"""The SQLite store: one file beside the app, written by one native thread with group commit.

All that waits when the thread is free goes into one transaction: new jobs and the outcomes of earlier ones share
one COMMIT, and one fsync. Every transaction is fenced by the worker's own row: a process that was frozen and
thawed would otherwise enqueue and claim into nowhere. Reading has a thread and a connection of its own, so that
a long look at the dashboard delays no commit.

Nothing in this process may open the database's files by hand: closing such a file drops SQLite's own locks.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar

from greenroom._ids import id_at
from greenroom.clock import SECOND, Clock, SystemClock
from greenroom.errors import InvalidOption, StoreUnavailable
from greenroom.job import Job, Status
from greenroom.stores._desk import Desk, Request
from greenroom.stores._file import connect, explain, prepare, unwritable
from greenroom.stores._ledger import Add, Call, Ledger, Swap
from greenroom.stores._rows import SCHEDULED, STATES, SUSPECT, Row, count_statuses, sql, to_job
from greenroom.stores.base import LEASE, Claim, Claimed, Lost, Page

Durability = Literal["disk", "process"]
T = TypeVar("T")

MILLISECOND = SECOND // 1000
_LAST_ID = (1 << 63) - 1


class _Query(Request[list[Row]]):
    """Something to read."""

    def __init__(self, statement: str, values: Any = ()) -> None:
        self.statement = statement
        self.values = values


class _Reader:
    """A connection that only reads. All of it runs on the one native reader thread."""

    def __init__(self, path: Path, durability: Durability) -> None:
        self._path = path
        self._durability = durability
        self._connection: sqlite3.Connection | None = None

    def serve(self, queries: list[_Query]) -> None:
        if self._connection is None:
            self._connection = connect(self._path, durability=self._durability, read_only=True)
        for query in queries:
            try:
                query.answer = self._connection.execute(query.statement, query.values).fetchall()
            except sqlite3.Error as error:
                query.error = explain(error, self._path)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()


class SqliteStore:
    """Jobs in one SQLite file.

    `durability="disk"` syncs each commit and survives power loss; `"process"` survives the death of the process,
    but may lose the last commits when the machine goes down. `lease` is in microseconds, and the same for all that
    use the file; a third of it must be more than anything may hold the GIL.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        durability: Durability = "disk",
        lease: int = LEASE,
        clock: Clock | None = None,
    ) -> None:
        if durability not in ("disk", "process"):
            raise InvalidOption(
                f'durability={durability!r} is not known: use "disk" (survives power loss) or "process" '
                "(survives the death of the process)."
            )
        self._path = Path(path).absolute()
        self._durability = durability
        self.lease = lease
        self._clock = clock or SystemClock()
        self._ledger: Ledger | None = None

    @property
    def url(self) -> str:
        return f"sqlite:///{self._path}"

    @property
    def worker(self) -> int:
        return self._ledger.worker if self._ledger else 0

    def open(self) -> None:
        if self._ledger is not None:
            return
        prepare(self._path)
        try:
            self._ledger = ledger = Ledger(
                self._path, durability=self._durability, lease=self.lease, clock=self._clock
            )
        except OSError as error:
            raise unwritable(self._path, error) from error
        self._writer = Desk(ledger.serve, name=self.url, idle=ledger.renew_in_time, tick=self.lease / 6 / SECOND)
        self._reading = reading = _Reader(self._path, self._durability)
        self._reader = Desk(reading.serve, name=self.url)
        try:
            self._writer.run(ledger.open)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        if self._ledger is None:
            return
        ledger, self._ledger = self._ledger, None
        # Another greenlet may open anew while this one waits.
        reading, reader, writer = self._reading, self._reader, self._writer
        try:
            reader.run(reading.close)
            writer.run(ledger.close)
        finally:
            reader.close()
            writer.close()

    def add(self, jobs: Sequence[Job]) -> None:
        self._write(Add(jobs))

    def claim(self, claim: Claim) -> Claimed:
        ledger = self._open_ledger()
        return self._write(Call(lambda: ledger.claim(claim)))

    def swap(self, old: Job, new: Job) -> bool:
        (is_swapped,) = self.swap_all([(old, new)])
        return is_swapped

    def swap_all(self, changes: Sequence[tuple[Job, Job]]) -> list[bool]:
        return self._write(Swap(changes)) if changes else []

    def renew(self, until: int) -> None:
        ledger = self._open_ledger()
        self._write(Call(lambda: ledger.renew(until)))

    def expired(self, now: int, limit: int) -> list[Lost]:
        ledger = self._open_ledger()
        return self._write(Call(lambda: ledger.expired(now, limit)))

    def get(self, job_id: int) -> Job | None:
        rows = self._read("SELECT * FROM job WHERE id = ?", (job_id,))
        return to_job(rows[0]) if rows else None

    def find(
        self,
        *,
        status: Status | None = None,
        task: str | None = None,
        queue_name: str | None = None,
        crashed: bool = False,
        before: int | None = None,
        limit: int = 50,
    ) -> Page:
        low, high = _states_of(status)
        wanted = {
            "low": low,
            "high": high,
            "task": task,
            "queue_name": queue_name,
            "last": _LAST_ID if before is None else before - 1,
            "limit": limit + 1,
        }
        jobs = [to_job(row) for row in self._read(sql("find_crashed" if crashed else "find"), wanted)]
        return Page(jobs[:limit], jobs[limit - 1].id if len(jobs) > limit else None)

    def counts(self) -> dict[Status, int]:
        rows = self._read("SELECT state, count(*) FROM job GROUP BY state")
        return count_statuses(dict(rows))

    def prune(self, before: int, limit: int) -> int:
        ledger = self._open_ledger()
        # Ids count whole milliseconds: what was enqueued and finished in the very last of them belongs to it.
        wanted = {"before": before, "before_id": id_at(before + MILLISECOND), "limit": limit}
        ids = [row[0] for row in self._read(sql("prunable"), wanted)]
        return self._write(Call(lambda: ledger.delete(ids, before))) if ids else 0

    def _write(self, request: Request[T]) -> T:
        self._open_ledger()
        return self._writer.ask(request)

    def _read(self, statement: str, values: Any = ()) -> list[Row]:
        self._open_ledger()
        return self._reader.ask(_Query(statement, values))

    def _open_ledger(self) -> Ledger:
        if self._ledger is None:
            raise StoreUnavailable(f"{self.url} is not open: call open() first.")
        return self._ledger


def _states_of(status: Status | None) -> tuple[int | None, int | None]:
    if status is None:
        return None, None
    if status is Status.READY:
        return SUSPECT, SCHEDULED
    return STATES[status], STATES[status]
