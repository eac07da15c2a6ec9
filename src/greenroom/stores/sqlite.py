"""The SQLite store: one file beside the app, written by one native thread with group commit.

All that waits when the thread is free goes into one transaction: new jobs and the outcomes of earlier ones share
one COMMIT, and one fsync. Every transaction is fenced by the worker's own row: a process that was frozen and
thawed would otherwise enqueue and claim into nowhere. Reading has a thread and a connection of its own, so that
a long look at the dashboard delays no commit.

Nothing in this process may open the database's files by hand: closing such a file drops SQLite's own locks.
"""

from __future__ import annotations

import ctypes
import os
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar

from greenroom._ids import id_at
from greenroom.clock import SECOND, Clock, SystemClock
from greenroom.errors import InvalidOption, StoreGone, StoreUnavailable
from greenroom.job import Job, Status
from greenroom.stores._backup import back_up
from greenroom.stores._desk import Desk, Request
from greenroom.stores._fault import Unreadable, fault_of, spoils
from greenroom.stores._file import connect, prepare, unwritable
from greenroom.stores._keeper import FAULTS
from greenroom.stores._ledger import Ledger
from greenroom.stores._place import Place
from greenroom.stores._requests import Add, Call, Swap
from greenroom.stores._rows import SCHEDULED, STATES, SUSPECT, Row, count_statuses, sql, to_job
from greenroom.stores.base import LEASE, Claim, Claimed, Lost, Mark, News, Page, Tick

Durability = Literal["disk", "process"]
T = TypeVar("T")

MILLISECOND = SECOND // 1000
_LAST_ID = (1 << 63) - 1
_forsaken: list[Any] = []  # of the parents of this process, never to be closed here


class _Query(Request[list[Row]]):
    """Something to read."""

    def __init__(self, statement: str, values: Any = ()) -> None:
        self.statement = statement
        self.values = values


class _Reader:
    """A connection that only reads. All of it runs on the one native reader thread."""

    def __init__(self, path: Path, place: Place, durability: Durability) -> None:
        self._path = path
        self._place = place
        self._durability = durability
        self._connection: sqlite3.Connection | None = None

    def serve(self, queries: list[_Query]) -> None:
        for query in queries:
            try:
                query.answer = self._connected().execute(query.statement, query.values).fetchall()
            except FAULTS as error:
                query.error = fault_of(error, self._path)
                if spoils(error):
                    self.close()

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _connected(self) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = connect(self._path, durability=self._durability, read_only=True)
            try:
                self._place.confirm()  # else it may be the file that somebody has put in the place of ours
            except BaseException:
                self.close()
                raise
        return self._connection


class SqliteStore:
    """Jobs in one SQLite file.

    `durability="disk"` syncs each commit and survives power loss; `"process"` survives the death of the process,
    but may lose the last commits when the machine goes down. `lease` is in microseconds, and the same for all that
    use the file; a third of it must be more than anything may hold the GIL.
    """

    supports_backup = True

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
        self._path = Path(path).resolve()  # one lock for one file, by whatever name it is reached
        self._durability = durability
        self.lease = lease
        self._clock = clock or SystemClock()
        self._ledger: Ledger | None = None
        self._parent: int | None = None  # which had it open when this process was forked from it
        self._heard: Callable[[News], object] = lambda _: None

    @property
    def url(self) -> str:
        return f"sqlite:///{self._path}"

    @property
    def path(self) -> Path:
        """The database's file."""
        return self._path

    @property
    def durability(self) -> Durability:
        """What is survived."""
        return self._durability

    @property
    def worker(self) -> int:
        return self._ledger.worker if self._ledger else 0

    @property
    def trouble(self) -> str | None:
        if self._ledger is None:
            return None
        if (trouble := self._ledger.trouble) is None:
            self._writer.stir()  # a store at rest is not looked after all the time: it is when somebody asks
        return str(trouble) if trouble else None

    def open(self) -> None:
        if self._ledger is not None:
            return
        if self._parent is not None:
            raise StoreUnavailable(
                f"{self.url} cannot be used here: it was open in process {self._parent} when this one was forked "
                "from it, and SQLite cannot be used on both sides of a fork. Fork before the room is used, or start "
                "the process anew: multiprocessing.get_context('spawn')."
            )
        prepare(self._path)
        try:
            self._ledger = ledger = Ledger(
                self._path,
                durability=self._durability,
                lease=self.lease,
                clock=self._clock,
                heard=self._heard,
                stir=self._stir,
            )
        except OSError as error:
            raise unwritable(self._path, error) from error
        self._writer = Desk(ledger.serve, name=self.url, idle=ledger.look_after)
        self._reading = reading = _Reader(self._path, ledger.place, self._durability)
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
            ledger.siblings.close()

    def forsake(self) -> None:
        if self._ledger is None:
            return
        self._parent = os.getppid()
        for part in (self._ledger, self._reader, self._writer):
            part.forsake()
        # SQLite would take the parent's locks for its own, and cannot know whether the parent was writing: nothing
        # may use the file here, and nothing may close it, not even Python as it ends.
        _forsaken.append((self._ledger, self._reading))
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(_forsaken))
        self._ledger = None

    def listen(self, heard: Callable[[News], object]) -> None:
        self._heard = heard

    def add(self, jobs: Sequence[Job]) -> None:
        self._open_ledger()
        self._writer.ask(Add(jobs))

    def claim(self, claim: Claim) -> Claimed:
        ledger = self._open_ledger()
        return self._write(Call(lambda: ledger.claim(claim), needs_room=True))

    def swap(self, old: Job, new: Job) -> bool:
        (is_swapped,) = self.swap_all([(old, new)])
        return is_swapped

    def swap_all(self, changes: Sequence[tuple[Job, Job]]) -> list[bool]:
        return self._write(Swap(changes)) if changes else []

    def tick(self, ticks: Sequence[Tick]) -> list[bool]:
        ledger = self._open_ledger()
        return self._write(Call(lambda: ledger.tick(ticks)))

    def marks(self) -> list[Mark]:
        return [Mark(*row) for row in self._read("SELECT name, slot, course, definition FROM schedule ORDER BY name")]

    def renew(self, until: int) -> None:
        ledger = self._open_ledger()
        self._write(Call(lambda: ledger.renew(until)))

    def expired(self, now: int, limit: int) -> list[Lost]:
        ledger = self._open_ledger()
        return self._write(Call(lambda: ledger.expired(now, limit)))

    def get(self, job_id: int) -> Job | None:
        rows = self._read("SELECT * FROM job WHERE id = ?", (job_id,))
        return self._jobs(rows)[0] if rows else None

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
        jobs = self._jobs(self._read(sql("find_crashed" if crashed else "find"), wanted))
        return Page(jobs[:limit], jobs[limit - 1].id if len(jobs) > limit else None)

    def counts(self) -> dict[Status, int]:
        rows = self._read("SELECT state, count(*) FROM job GROUP BY state")
        return count_statuses(dict(rows))

    def backup(self, target: str | os.PathLike[str]) -> None:
        copy = Path(target).absolute()
        if self._ledger is not None and isinstance(self._ledger.trouble, StoreGone):
            # Only who has it open can still reach the file; nobody can write to it, so that nobody waits.
            ledger = self._ledger
            self._writer.run(lambda: back_up(self._path, copy, ledger.connection()))
            return
        desk = Desk(lambda _: None, name=self.url)
        try:
            desk.run(lambda: back_up(self._path, copy))
        finally:
            desk.close()

    def prune(self, before: int, limit: int) -> int:
        ledger = self._open_ledger()
        # Ids count whole milliseconds: what was enqueued and finished in the very last of them belongs to it.
        wanted = {"before": before, "before_id": id_at(before + MILLISECOND), "limit": limit}
        ids = [row[0] for row in self._read(sql("prunable"), wanted)]
        return self._write(Call(lambda: ledger.delete(ids, before))) if ids else 0

    def _stir(self) -> None:
        self._writer.stir()

    def _write(self, request: Request[T]) -> T:
        self._open_ledger()
        return self._writer.ask(request)

    def _read(self, statement: str, values: Any = ()) -> list[Row]:
        self._open_ledger()
        return self._reader.ask(_Query(statement, values))

    def _jobs(self, rows: list[Row]) -> list[Job]:
        try:
            return [to_job(row) for row in rows]
        except Unreadable as error:
            raise fault_of(error, self._path) from error

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
