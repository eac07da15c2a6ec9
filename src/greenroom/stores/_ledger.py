"""The ledger: the writing side of the SQLite store. All of it runs on the one native writer thread."""

from __future__ import annotations

import json
import os
import socket
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from greenroom.clock import Clock
from greenroom.errors import GreenroomError, LeaseLost, StoreError
from greenroom.job import Job
from greenroom.stores._desk import Request
from greenroom.stores._file import FileLock, connect, explain, migrate
from greenroom.stores._incarnation import Incarnation, forget, is_over
from greenroom.stores._rows import chunks, sql, sql_of_rows, to_job, to_row, to_swap
from greenroom.stores.base import LEASE, Claim, Claimed

T = TypeVar("T")
RENEW = LEASE // 3


class Add(Request[None]):
    """New jobs to write."""

    __slots__ = ("jobs",)

    def __init__(self, jobs: Sequence[Job]) -> None:
        super().__init__()
        self.jobs = jobs


class Swap(Request[bool]):
    """One version of a job to put in the place of another."""

    __slots__ = ("new", "old")

    def __init__(self, old: Job, new: Job) -> None:
        super().__init__()
        self.old = old
        self.new = new


class Call(Request[T]):
    """Anything else, to be done inside the transaction, after the other two."""

    __slots__ = ("work",)
    # A claim keeps slots reserved until it is answered, and those who enqueue next would find none free.
    is_urgent = True

    def __init__(self, work: Callable[[], T]) -> None:
        super().__init__()
        self.work = work


class Ledger:
    """One connection that writes, and the worker in whose name it does."""

    def __init__(self, path: Path, *, durability: str, clock: Clock) -> None:
        self.worker = 0
        self._path = path
        self._durability = durability
        self._clock = clock
        self._folder = path.with_name(path.name + ".workers")
        self._lock = FileLock(path.with_name(path.name + ".lock"))
        self._life = Incarnation(self._folder)
        self._renewed_at = 0
        self._connection: sqlite3.Connection | None = None

    def serve(self, batch: list[Request[Any]]) -> None:
        """One transaction for the whole batch. If a request spoils it, each is tried by itself."""
        try:
            self._transact(batch)
        except (sqlite3.IntegrityError, StoreError, ValueError, OverflowError) as error:
            if len(batch) > 1:
                for request in batch:
                    self.serve([request])
            else:
                batch[0].error = _as_store_error(error, batch[0])
        except sqlite3.Error as error:
            raise explain(error, self._path) from error

    def renew_in_time(self) -> None:
        """Renew the lease when a third of it has gone by."""
        now = self._clock.now()
        if self.worker and now - self._renewed_at >= RENEW:
            self.serve([Call(lambda: self.renew(now + LEASE))])

    def open(self) -> None:
        """Connect, bring the schema up to date, and register."""
        try:
            self._connection = connect(self._path, durability=self._durability)
            with self._lock:
                self._connection.execute("BEGIN IMMEDIATE")
                try:
                    migrate(self._connection, self._path)
                    self._register()
                    self._connection.execute("COMMIT")
                except BaseException:
                    self._connection.execute("ROLLBACK")
                    raise
        except sqlite3.Error as error:
            raise explain(error, self._path) from error

    def close(self) -> None:
        """Leave, so that whatever still runs under this worker is expired at once."""
        try:
            if self._connection is not None and self.worker:
                with self._lock:
                    self._connection.execute("DELETE FROM worker WHERE id = ?", (self.worker,))
        except sqlite3.Error as error:
            raise explain(error, self._path) from error
        finally:
            if self._connection is not None:
                self._connection.close()
            self._life.end()
            self._lock.close()
            self.worker = 0

    def claim(self, claim: Claim) -> Claimed:
        connection = self._connected()
        connection.execute(sql("promote"), {"now": claim.now})
        jobs: list[Job] = []
        for lane, slots in claim.slots.items():
            wanted = {"worker": self.worker, "now": claim.now, "lane": lane, "slots": slots}
            jobs += [to_job(row) for row in connection.execute(sql("claim"), wanted).fetchall()]
        jobs.sort(key=lambda job: (-job.priority, job.id))
        due = connection.execute(sql("next_due")).fetchone()
        return Claimed(jobs, due and due[0])

    def renew(self, until: int) -> None:
        self._connected().execute("UPDATE worker SET lease_until = ? WHERE id = ?", (until, self.worker))
        self._renewed_at = until - LEASE

    def expired(self, now: int, limit: int) -> list[Job]:
        connection = self._connected()
        others = connection.execute(
            "SELECT id, name, lease_until FROM worker WHERE id <> ?", (self.worker,)
        ).fetchall()
        dead = {worker: name for worker, name, until in others if until < now or is_over(self._folder, name)}
        wanted = {"dead": json.dumps([*dead]), "limit": limit}
        jobs = [to_job(row) for row in connection.execute(sql("expired"), wanted).fetchall()]
        held = {job.worker for job in jobs}
        for worker, name in dead.items():
            if worker not in held and connection.execute(sql("bury"), {"worker": worker}).rowcount:
                forget(self._folder, name)
        return jobs

    def delete(self, ids: list[int]) -> int:
        statement = "DELETE FROM job WHERE state >= 3 AND id IN (SELECT value FROM json_each(?))"
        return self._connected().execute(statement, (json.dumps(ids),)).rowcount

    def _transact(self, batch: list[Request[Any]]) -> None:
        connection = self._connected()
        with self._lock:
            connection.execute("BEGIN IMMEDIATE")
            try:
                self._fence(connection)
                self._insert(connection, [request for request in batch if type(request) is Add])
                self._swap(connection, [request for request in batch if type(request) is Swap])
                for request in batch:
                    if type(request) is Call:
                        request.answer = request.work()
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:  # SQLite has rolled back by itself when the disk is full
                    connection.execute("ROLLBACK")
                raise

    def _fence(self, connection: sqlite3.Connection) -> None:
        if connection.execute("SELECT 1 FROM worker WHERE id = ?", (self.worker,)).fetchone():
            return
        lost = self.worker
        self._life.end()
        self._life = Incarnation(self._folder)
        self._register()
        connection.execute("COMMIT")
        raise LeaseLost(
            f"worker {lost} was declared dead after its lease ran out (the process was frozen?), and others have "
            f"its jobs. It goes on as worker {self.worker}: ask again."
        )

    def _register(self) -> None:
        now = self._clock.now()
        mine = {"name": self._life.name, "pid": os.getpid(), "host": socket.gethostname(), "now": now}
        self.worker = self._connected().execute(sql("register"), mine | {"until": now + LEASE}).lastrowid or 0
        self._renewed_at = now

    def _insert(self, connection: sqlite3.Connection, requests: list[Add]) -> None:
        now = self._clock.now()
        rows = [to_row(job, now) for request in requests for job in request.jobs]
        for piece in chunks(rows):
            connection.execute(
                sql_of_rows("insert", len(piece), len(piece[0])), [value for row in piece for value in row]
            )
        for request in requests:
            request.answer = None

    def _swap(self, connection: sqlite3.Connection, requests: list[Swap]) -> None:
        now = self._clock.now()
        for group in _without_twins(requests):
            done: set[int] = set()
            for piece in chunks([to_swap(request.old, request.new, now) for request in group]):
                statement = sql_of_rows("swap", len(piece), len(piece[0]))
                values = [value for row in piece for value in row]
                done.update(row[0] for row in connection.execute(statement, values).fetchall())
            for request in group:
                request.answer = request.new.id in done

    def _connected(self) -> sqlite3.Connection:
        assert self._connection is not None, "open() comes first"  # noqa: S101
        return self._connection


def _without_twins(requests: list[Swap]) -> list[list[Swap]]:
    """Groups in which no job comes twice: of two swaps of one job, the second must see what the first did."""
    groups: list[list[Swap]] = [[]]
    seen: set[int] = set()
    for request in requests:
        if request.new.id in seen:
            groups.append([])
            seen.clear()
        seen.add(request.new.id)
        groups[-1].append(request)
    return groups


def _as_store_error(error: Exception, request: Request[Any]) -> Exception:
    if isinstance(error, GreenroomError):
        return error
    ids = [job.id for job in request.jobs] if isinstance(request, Add) else []
    return StoreError(f"jobs {ids[:3]} cannot be stored: {error}. An id is used once: make new ones.")
