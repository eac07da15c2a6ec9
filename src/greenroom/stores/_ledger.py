"""The ledger: the writing side of the SQLite store. All of it runs on the one native writer thread."""

from __future__ import annotations

import json
import logging
import os
import socket
import sqlite3
from collections.abc import Callable, Sequence
from itertools import compress
from pathlib import Path
from typing import Any, TypeVar

from greenroom.clock import SECOND, Clock, SystemClock
from greenroom.errors import LeaseLost, StoreFull, StoreUnavailable
from greenroom.job import Job, Status
from greenroom.stores._checkup import Checkup
from greenroom.stores._desk import Request
from greenroom.stores._file import migrate
from greenroom.stores._incarnation import Incarnation, forget, forget_unknown, is_over
from greenroom.stores._keeper import FAULTS, LOOK, Keeper
from greenroom.stores._marks import move
from greenroom.stores._news import news_of
from greenroom.stores._place import Place
from greenroom.stores._requests import (
    UNSTORABLE,
    Add,
    Call,
    Change,
    Swap,
    refuse,
    unstorable,
    without_new,
    without_twins,
)
from greenroom.stores._rows import (
    INSERT,
    INSERT_FRESH,
    LARGEST_PIECE,
    NOTHING_NEW,
    SWAP,
    WRITE,
    Form,
    Row,
    bound,
    finishes,
    pieces,
    sort_new,
    sql,
    to_job,
    to_swap,
)
from greenroom.stores._siblings import Siblings
from greenroom.stores.base import Claim, Claimed, Fate, Lost, News, Tick

T = TypeVar("T")
log = logging.getLogger("greenroom.store")


class Ledger:
    """One connection that writes, and the worker in whose name it does."""

    def __init__(
        self,
        path: Path,
        *,
        durability: str,
        lease: int,
        clock: Clock,
        heard: Callable[[News], object],
        stir: Callable[[], None],
    ) -> None:
        self.worker = 0
        self._path = path
        self._lease = lease
        self._clock = clock
        self._folder = path.with_name(path.name + ".workers")
        self._keeper = Keeper(path, durability=durability)
        try:
            self._life = Incarnation(self._folder)
        except OSError:
            self._keeper.close()
            raise
        self._checkup = Checkup(path, self.place, durability=durability, damaged=self._keeper.note_damage)
        self.siblings = Siblings(self._folder, heard=heard, stir=stir)
        self._ticked: list[Tick] = []  # those made in this transaction
        self._timer = SystemClock()  # when to renew is a matter of real time, whatever clock the jobs go by
        self._renewed_at = 0.0

    @property
    def trouble(self) -> StoreUnavailable | None:
        """What is wrong just now. May be asked from any thread."""
        return self._keeper.trouble

    @property
    def place(self) -> Place:
        """Where the file is."""
        return self._keeper.place

    def serve(self, batch: list[Request[Any]]) -> None:
        """One transaction for the whole batch. If a request spoils it, each is tried by itself."""
        self._serve(batch)
        self._checkup.written()

    def look_after(self) -> float:
        """Renew the lease when a third of it has gone by, and see whether all is well; say when to do so again."""
        third = self._lease / 3 / SECOND
        often = min(LOOK, third / 2)
        if not self.worker:
            return often
        if self._timer.monotonic() - self._renewed_at >= third:
            with self._keeper.trying():
                self._renew_now()
        self._keeper.look(self._renew_now)
        with self._keeper.trying():
            self.siblings.look(self._keeper.connection)
        pause = often
        if self.trouble is None and self.siblings.is_alone:
            pause = max(often, third - (self._timer.monotonic() - self._renewed_at))
        return min(pause, self._checkup.look())

    def open(self) -> None:
        """Connect, bring the schema up to date, and register."""
        try:
            self._keeper.open(self._prepare)
            self._checkup.opened()
            self.siblings.arrive()
        except FAULTS as error:
            raise self._keeper.fault(error) from error

    def close(self) -> None:
        """Leave, so that whatever still runs under this worker is expired at once."""
        self._checkup.close()
        try:
            if self.worker:
                with self._keeper.lock:
                    self.connection().execute("DELETE FROM worker WHERE id = ?", (self.worker,))
        except FAULTS as error:
            # Its liveness file says so too.
            log.warning("worker %s leaves without a word: %s", self.worker, self._keeper.fault(error))
        finally:
            self._keeper.close()
            self._life.end()
            self.siblings.leave()
            self.worker = 0

    def forsake(self) -> None:
        """This is a forked child."""
        self.siblings.forsake()
        self._keeper.forsake()

    def claim(self, claim: Claim) -> Claimed:
        connection = self.connection()
        connection.execute(sql("promote"), {"until": claim.now + claim.ahead})
        jobs: list[Job] = []
        for lane, slots in claim.slots.items():
            # To SQLite a LIMIT below 0 is no limit.
            wanted = {"worker": self.worker, "now": claim.now, "lane": lane, "slots": max(0, slots)}
            jobs += [to_job(row) for row in connection.execute(sql("claim"), wanted).fetchall()]
        suspect = None
        if claim.suspect:
            wanted = {"worker": self.worker, "now": claim.now}
            jobs += [to_job(row) for row in connection.execute(sql("claim_suspect"), wanted).fetchall()]
            suspect = connection.execute(sql("next_suspect")).fetchone()
        jobs.sort(key=lambda job: (-job.priority, job.id))
        due = connection.execute(sql("next_due")).fetchone()
        return Claimed(jobs, due and due[0], suspect and suspect[0])

    def renew(self, until: int) -> None:
        self.connection().execute("UPDATE worker SET lease_until = ? WHERE id = ?", (until, self.worker))
        self._renewed_at = self._timer.monotonic()

    def expired(self, now: int, limit: int) -> list[Lost]:
        connection = self.connection()
        others = connection.execute(
            "SELECT id, name, lease_until FROM worker WHERE id <> ?", (self.worker,)
        ).fetchall()
        dead: dict[int | None, Fate] = {it: Fate.DEAD for it, name, _ in others if is_over(self._folder, name)}
        fates = {it: Fate.STALLED for it, _, until in others if until < now} | dead
        wanted = {"dead": json.dumps([*fates]), "limit": limit}
        jobs = [to_job(row) for row in connection.execute(sql("expired"), wanted).fetchall()]
        held = {job.worker for job in jobs}
        for worker, name, _ in others:
            is_done = worker in fates and worker not in held
            if is_done and connection.execute(sql("bury"), {"worker": worker}).rowcount:
                forget(self._folder, name)
        forget_unknown(self._folder, {name for _, name, _ in others})
        return [Lost(job, fates.get(job.worker, Fate.LEFT)) for job in jobs]

    def tick(self, ticks: Sequence[Tick]) -> list[bool]:
        connection = self.connection()
        moved = move(connection, ticks)
        made = [*compress(ticks, moved)]
        jobs = [job for tick in made for job in tick.jobs]
        self._insert(connection, *sort_new(jobs, self._clock.now()))
        self._ticked += made
        return moved

    def delete(self, ids: list[int], before: int) -> int:
        return self.connection().execute(sql("prune"), {"ids": json.dumps(ids), "before": before}).rowcount

    def _serve(self, batch: list[Request[Any]]) -> None:
        if (reason := self._keeper.no_room()) is not None:
            batch = without_new(batch, reason)
        try:
            if batch:
                self._transact(batch)
                self._keeper.is_well()
                if self.siblings.are_here:
                    self._tell(batch)
        except UNSTORABLE as error:
            if len(batch) > 1:
                for request in batch:
                    self._serve([request])
            else:
                batch[0].error = unstorable(error, batch[0])
        except LeaseLost as error:
            # Every one of them: they were all asked in the name of the worker that is no more.
            refuse(batch, error)
        except FAULTS as error:
            fault = self._keeper.fault(error)
            if isinstance(fault, StoreFull) and self._keeper.make_room():
                batch = without_new(batch, fault)
                self._serve(batch)
            else:
                refuse(batch, fault)

    def _transact(self, batch: list[Request[Any]]) -> None:
        asked: dict[type, list[Any]] = {Add: [], Swap: [], Call: []}
        for request in batch:
            asked[type(request)].append(request)
        self._ticked = []
        fresh, others = sort_new(self._new_jobs(asked[Add]), self._clock.now())
        if not (asked[Call] or others or len(fresh) > 1) and self._write_at_once(fresh, asked[Swap]):
            return
        with self._keeper.transaction() as connection:
            self._fence(connection)
            self._insert(connection, fresh, others)
            self._swap(connection, asked[Swap])
            for call in asked[Call]:
                call.answer = call.work()

    def _tell(self, batch: list[Request[Any]]) -> None:
        """Tell the siblings what this batch has left for them."""
        added: list[Job] = []
        changes: list[Change] = []
        taken: list[Job] = []
        for request in batch:
            match request:
                case Add(error=None):
                    added += request.jobs
                case Swap():
                    changes += compress(request.changes, request.answer)
                case Call(answer=Claimed(jobs)):
                    taken += jobs
        if news := news_of(added, changes, taken, self._ticked):
            self.siblings.ring(news)

    def _prepare(self, connection: sqlite3.Connection) -> None:
        migrate(connection, self._path)
        self._register()

    def _renew_now(self) -> None:
        # No fence here: that the lease was lost is for those to hear who ask for something.
        with self._keeper.lock:
            self.renew(self._clock.now() + self._lease)

    def _fence(self, connection: sqlite3.Connection) -> None:
        if connection.execute("SELECT 1 FROM worker WHERE id = ?", (self.worker,)).fetchone():
            return
        lost = self.worker
        self._life.end()
        self._life = Incarnation(self._folder)
        self._register()
        connection.execute("COMMIT")
        self.siblings.arrive()
        raise LeaseLost(
            f"worker {lost} was declared dead after its lease ran out (the process was frozen?), and others have "
            f"its jobs. It goes on as worker {self.worker}: ask again."
        )

    def _register(self) -> None:
        now = self._clock.now()
        mine = {"name": self._life.name, "pid": os.getpid(), "host": socket.gethostname(), "now": now}
        self.worker = self.connection().execute(sql("register"), mine | {"until": now + self._lease}).lastrowid or 0
        self._renewed_at = self._timer.monotonic()

    def _new_jobs(self, requests: list[Add]) -> list[Job]:
        jobs = [job for request in requests for job in request.jobs]
        if {job.worker for job in jobs} <= {None, self.worker}:
            return jobs
        for request in requests:
            request.error = self._not_ours(request.jobs)
        return [job for request in requests if request.error is None for job in request.jobs]

    def _not_ours(self, jobs: Sequence[Job]) -> LeaseLost | None:
        for job in jobs:
            if job.worker is not None and job.worker != self.worker and job.status is Status.RUNNING:
                # Made while we lost the lease, and stored after: nobody would know it for lost, or for running.
                return LeaseLost(
                    f"job {job.id} was claimed by worker {job.worker}, and this is worker {self.worker}. "
                    "Claim it anew."
                )
        return None

    def _write_at_once(self, fresh: dict[Row, list[Row]], requests: list[Swap]) -> bool:
        """Write new jobs of one kind, and successes, by one statement that is its own transaction, fence included.

        False if nothing was written, because it takes more than that. So the GIL is given up once, from BEGIN to the
        end of COMMIT, and the hub has it all that time. With a statement for each step the thread waits at each for
        the hub, which is busy as long as jobs come in.
        """
        changes = [change for request in requests for change in request.changes]
        finished = finishes(changes)
        ((shared, rows),) = fresh.items() or ((NOTHING_NEW, []),)
        if len(finished) < len(changes) or not 0 < len(rows) + len(finished) <= LARGEST_PIECE:
            return False
        form = INSERT_FRESH
        if finished:
            form, rows = WRITE, [*((*row, -1) for row in rows), *finished]
        with self._keeper.alone() as connection:
            is_written = self._write(connection, form, rows, shared)
        if is_written:
            for request in requests:
                request.answer = [True] * len(request.changes)
        return is_written

    def _write(self, connection: sqlite3.Connection, form: Form, piece: list[Row], shared: Row) -> bool:
        """Write all of the rows or none; say which."""
        if form is WRITE and len({row[0] for row in piece}) < len(piece):
            return False  # of two that have one id, the second would be taken for the success of the first
        before = connection.total_changes  # the rowcount of what begins with WITH is -1
        connection.execute(*bound(form, piece, (*shared, self.worker)))
        return connection.total_changes - before == len(piece)

    def _insert(self, connection: sqlite3.Connection, fresh: dict[Row, list[Row]], others: list[Row]) -> None:
        for shared, rows in fresh.items():
            for piece in pieces(rows):
                connection.execute(*bound(INSERT_FRESH, piece, (*shared, self.worker)))
        for piece in pieces(others):
            connection.execute(*bound(INSERT, piece))

    def _swap(self, connection: sqlite3.Connection, requests: list[Swap]) -> None:
        now = self._clock.now()
        for request in requests:
            request.answer = []
        for group in without_twins(requests):
            done: set[int] = set()
            for piece in pieces(finishes((old, new) for _, old, new in group)):
                if self._write(connection, WRITE, piece, NOTHING_NEW):
                    done.update(row[0] for row in piece)
            for piece in pieces([to_swap(old, new, now) for _, old, new in group if new.id not in done]):
                done.update(job_id for (job_id,) in connection.execute(*bound(SWAP, piece)))
            for request, _, new in group:
                request.answer.append(new.id in done)

    def connection(self) -> sqlite3.Connection:
        """The one that writes, for who is on its thread."""
        return self._keeper.connection()
