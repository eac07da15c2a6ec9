"""The memory store: jobs in this process and nowhere else, for volatile tasks and for tests."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import compress, count
from typing import Any

from gevent import get_hub

from greenroom._native import RLock
from greenroom.clock import Clock, SystemClock
from greenroom.errors import InvalidOption, LeaseLost, StoreError, StoreUnavailable
from greenroom.job import Job, Status
from greenroom.stores._news import news_of
from greenroom.stores.base import LEASE, Claim, Claimed, Fate, Lost, Mark, News, Page, Tick

_Entry = tuple[int, int, int]  # what it is sorted by, id, version
_Listener = tuple[Any, Callable[[News], object]]  # the event loop, and who is to be told in it


@dataclass(slots=True, kw_only=True)
class _Shelf:
    """What sibling workers share. A heap's entry is stale, and skipped, if its job has a new version."""

    jobs: dict[int, Job] = field(default_factory=dict)
    ready: dict[str, list[_Entry]] = field(default_factory=dict)  # lane: heap, by -priority
    scheduled: list[_Entry] = field(default_factory=list)  # heap, by run_after
    suspects: list[_Entry] = field(default_factory=list)  # heap, by run_after
    finished: OrderedDict[int, None] = field(default_factory=OrderedDict)  # ids, the latest to finish last
    counts: dict[Status, int] = field(default_factory=lambda: dict.fromkeys(Status, 0))
    marks: dict[str, Mark] = field(default_factory=dict)
    leases: dict[int, int] = field(default_factory=dict)  # worker: until
    numbers: Iterator[int] = field(default_factory=lambda: count(1))
    listeners: dict[MemoryStore, _Listener] = field(default_factory=dict)  # of those who are open
    # A native lock, whatever is patched: no greenlet switches while one is held.
    lock: Any = field(default_factory=RLock)


class MemoryStore:
    """Keeps the jobs of one process; of those finished, the latest `keep`."""

    url = "memory://"
    trouble: str | None = None  # memory has none
    supports_backup = False
    lease = LEASE

    def __init__(self, *, clock: Clock | None = None, keep: int = 10_000) -> None:
        self._clock = clock or SystemClock()
        self._keep = keep
        self._shelf = _Shelf()
        self._worker = 0
        self._heard: Callable[[News], object] = lambda _: None

    @property
    def worker(self) -> int:
        return self._worker

    def sibling(self) -> MemoryStore:
        """Another worker on the same jobs."""
        other = MemoryStore(clock=self._clock, keep=self._keep)
        other._shelf = self._shelf
        return other

    def open(self) -> None:
        with self._shelf.lock:
            if not self._worker:
                self._register()
                self._shelf.listeners[self] = get_hub().loop, self._heard

    def close(self) -> None:
        with self._shelf.lock:
            self._shelf.leases.pop(self._worker, None)
            self._worker = 0
            if self._shelf.listeners.pop(self, None):
                self._tell(News(has_left=True))

    def forsake(self) -> None:
        self._shelf, self._worker = _Shelf(), 0

    def listen(self, heard: Callable[[News], object]) -> None:
        self._heard = heard

    def add(self, jobs: Sequence[Job]) -> None:
        shelf = self._shelf
        with shelf.lock:
            self._fence()
            ids: set[int] = set()
            for job in jobs:
                if job.id in shelf.jobs or job.id in ids:
                    raise StoreError(f"job {job.id} is stored already: an id is used once. Make a new one.")
                if job.status is Status.RUNNING and job.worker != self._worker:
                    raise LeaseLost(
                        f"job {job.id} was claimed by worker {job.worker}, and this is worker "
                        f"{self._worker}. Claim it anew."
                    )
                ids.add(job.id)
            for job in jobs:
                self._put(job)
            self._tell_of(jobs)

    def claim(self, claim: Claim) -> Claimed:
        shelf = self._shelf
        with shelf.lock:
            self._fence()
            self._promote(claim.now + claim.ahead)
            jobs = [job for lane, slots in claim.slots.items() for job in self._take(lane, slots, claim.now)]
            if claim.suspect:
                jobs += self._take_suspect(claim.now)
            jobs.sort(key=lambda job: (-job.priority, job.id))
            due = shelf.scheduled[0][0] if shelf.scheduled else None
            return Claimed(jobs, due, self._next_suspect() if claim.suspect else None)

    def swap(self, old: Job, new: Job) -> bool:
        shelf = self._shelf
        with shelf.lock:
            self._fence()
            stored = shelf.jobs.get(old.id)
            if stored is None or stored.version != old.version:
                return False
            shelf.counts[stored.status] -= 1
            self._put(new)
            self._tell_of(changes=[(old, new)])
            return True

    def swap_all(self, changes: Sequence[tuple[Job, Job]]) -> list[bool]:
        with self._shelf.lock:
            return [self.swap(old, new) for old, new in changes]

    def tick(self, ticks: Sequence[Tick]) -> list[bool]:
        shelf = self._shelf
        with shelf.lock:
            self._fence()
            marks = dict(shelf.marks)
            moved = [_is_moved(marks, tick) for tick in ticks]
            made = [*compress(ticks, moved)]
            self.add([job for tick in made for job in tick.jobs])
            shelf.marks = marks  # not before the jobs are stored: both, or neither
            self._tell_of(ticks=made)
            return moved

    def marks(self) -> list[Mark]:
        self._check_open()
        return sorted(self._shelf.marks.values())

    def renew(self, until: int) -> None:
        with self._shelf.lock:
            self._fence()
            self._shelf.leases[self._worker] = until

    def expired(self, now: int, limit: int) -> list[Lost]:
        shelf = self._shelf
        with shelf.lock:
            self._fence()
            alive = {worker for worker, until in shelf.leases.items() if until >= now}
            alive.add(self._worker)
            jobs = [job for job in shelf.jobs.values() if job.status is Status.RUNNING and job.worker not in alive]
            held = {job.worker for job in jobs}
            for worker in [worker for worker in shelf.leases if worker not in alive and worker not in held]:
                del shelf.leases[worker]
            lost = sorted(jobs)[:limit]
            return [Lost(job, Fate.STALLED if job.worker in shelf.leases else Fate.LEFT) for job in lost]

    def get(self, job_id: int) -> Job | None:
        self._check_open()
        return self._shelf.jobs.get(job_id)

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
        self._check_open()
        with self._shelf.lock:
            wanted = [
                job
                for job in self._shelf.jobs.values()
                if (status is None or job.status is status)
                and (task is None or job.task == task)
                and (queue_name is None or job.queue_name == queue_name)
                and (job.crashes or not crashed)
                and (before is None or job.id < before)
            ]
        wanted.sort(key=lambda job: -job.id)
        return Page(wanted[:limit], wanted[limit - 1].id if len(wanted) > limit else None)

    def counts(self) -> dict[Status, int]:
        self._check_open()
        return dict(self._shelf.counts)

    def backup(self, target: str | os.PathLike[str]) -> None:
        raise InvalidOption(
            f"memory:// is in memory alone: there is no file to copy to {target}. Use sqlite:///FILE."
        )

    def prune(self, before: int, limit: int) -> int:
        shelf = self._shelf
        self._check_open()
        with shelf.lock:
            finished = (shelf.jobs[job_id] for job_id in shelf.finished)
            old = [job.id for job in finished if job.finished_at is not None and job.finished_at < before]
            if old:
                self._fence()
            old = sorted(old)[:limit]
            for job_id in old:
                self._forget(job_id)
            return len(old)

    def _check_open(self) -> None:
        if not self._worker:
            raise StoreUnavailable("memory:// is not open: call open() first.")

    def _fence(self) -> None:
        self._check_open()
        if self._worker not in self._shelf.leases:
            lost = self._worker
            self._register()
            raise LeaseLost(
                f"worker {lost} was declared dead after its lease ran out, and others have its jobs. "
                f"It goes on as worker {self._worker}: ask again."
            )

    def _register(self) -> None:
        self._worker = next(self._shelf.numbers)
        self._shelf.leases[self._worker] = self._clock.now() + LEASE

    def _tell_of(
        self, added: Sequence[Job] = (), changes: Sequence[tuple[Job, Job]] = (), ticks: Sequence[Tick] = ()
    ) -> None:
        if len(self._shelf.listeners) > 1 and (news := news_of(added, changes, ticks=ticks)):
            self._tell(news)

    def _tell(self, news: News) -> None:
        for store, (loop, heard) in self._shelf.listeners.items():
            if store is not self:
                loop.run_callback_threadsafe(heard, news)

    def _put(self, job: Job) -> None:
        shelf = self._shelf
        shelf.jobs[job.id] = job
        shelf.counts[job.status] += 1
        shelf.finished.pop(job.id, None)
        if job.is_suspect and job.status is Status.READY:
            heappush(shelf.suspects, (job.run_after, job.id, job.version))
        elif job.status is Status.READY:
            if job.run_after <= self._clock.now():
                self._queue(job)
            else:
                heappush(shelf.scheduled, (job.run_after, job.id, job.version))
        elif job.is_finished:
            shelf.finished[job.id] = None
            if len(shelf.finished) > self._keep:
                self._forget(next(iter(shelf.finished)))

    def _forget(self, job_id: int) -> None:
        job = self._shelf.jobs.pop(job_id)
        self._shelf.counts[job.status] -= 1
        del self._shelf.finished[job_id]

    def _queue(self, job: Job) -> None:
        heappush(self._shelf.ready.setdefault(job.lane, []), (-job.priority, job.id, job.version))

    def _promote(self, now: int) -> None:
        scheduled = self._shelf.scheduled
        while scheduled and (scheduled[0][0] <= now or self._moved_on(scheduled[0])):
            entry = heappop(scheduled)
            if not self._moved_on(entry):
                self._queue(self._shelf.jobs[entry[1]])

    def _moved_on(self, entry: _Entry) -> bool:
        _, job_id, version = entry
        job = self._shelf.jobs.get(job_id)
        return job is None or job.version != version

    def _take(self, lane: str, slots: int, now: int) -> Iterator[Job]:
        shelf = self._shelf
        heap = shelf.ready.get(lane, [])
        while slots > 0 and heap:
            entry = heappop(heap)
            if self._moved_on(entry):
                continue
            slots -= 1
            yield self._claimed(shelf.jobs[entry[1]], now)

    def _take_suspect(self, now: int) -> Iterator[Job]:
        due = self._next_suspect()
        if due is not None and due <= now:
            _, job_id, _ = heappop(self._shelf.suspects)
            yield self._claimed(self._shelf.jobs[job_id], now)

    def _next_suspect(self) -> int | None:
        suspects = self._shelf.suspects
        while suspects and self._moved_on(suspects[0]):
            heappop(suspects)
        return suspects[0][0] if suspects else None

    def _claimed(self, job: Job, now: int) -> Job:
        claimed = job.claimed(self._worker, now)
        self._shelf.jobs[job.id] = claimed
        self._shelf.counts[Status.READY] -= 1
        self._shelf.counts[Status.RUNNING] += 1
        return claimed


def _is_moved(marks: dict[str, Mark], tick: Tick) -> bool:
    match tick:
        case Tick(old, Mark(name) as new) if marks.get(name) == old:
            marks[name] = new
        case Tick(Mark(name) as old, None) if marks.get(name) == old:
            del marks[name]
        case _:
            return False
    return True
