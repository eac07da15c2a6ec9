"""The memory store: jobs in this process and nowhere else, for volatile tasks and for tests."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import count
from typing import Any

from greenroom._native import RLock
from greenroom.clock import Clock, SystemClock
from greenroom.errors import LeaseLost, StoreError, StoreUnavailable
from greenroom.job import FINISHED, Job, Status
from greenroom.stores.base import LEASE, Claim, Claimed, Page


@dataclass(slots=True, kw_only=True)
class _Shelf:
    """What sibling workers share. A heap's entry is stale, and skipped, if its job has moved on since."""

    jobs: dict[int, Job] = field(default_factory=dict)
    ready: dict[str, list[tuple[int, int]]] = field(default_factory=dict)  # lane: heap of (-priority, id)
    scheduled: list[tuple[int, int]] = field(default_factory=list)  # heap of (run_after, id)
    finished: deque[int] = field(default_factory=deque)
    counts: dict[Status, int] = field(default_factory=lambda: dict.fromkeys(Status, 0))
    leases: dict[int, int] = field(default_factory=dict)  # worker: until
    numbers: Iterator[int] = field(default_factory=lambda: count(1))
    # A native lock, whatever is patched: no greenlet switches while one is held.
    lock: Any = field(default_factory=RLock)


class MemoryStore:
    """Keeps the jobs of one process; of those finished, the latest `keep`."""

    url = "memory://"

    def __init__(self, *, clock: Clock | None = None, keep: int = 10_000) -> None:
        self._clock = clock or SystemClock()
        self._keep = keep
        self._shelf = _Shelf()
        self._worker = 0

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
                self._worker = next(self._shelf.numbers)
                self._shelf.leases[self._worker] = self._clock.now() + LEASE

    def close(self) -> None:
        with self._shelf.lock:
            self._shelf.leases.pop(self._worker, None)
            self._worker = 0

    def add(self, jobs: Sequence[Job]) -> None:
        shelf = self._shelf
        with shelf.lock:
            self._fence()
            taken = [job.id for job in jobs if job.id in shelf.jobs]
            if taken:
                raise StoreError(f"job {taken[0]} is stored already: an id is used once. Make a new one.")
            for job in jobs:
                self._put(job)

    def claim(self, claim: Claim) -> Claimed:
        shelf = self._shelf
        with shelf.lock:
            self._fence()
            self._promote(claim.now)
            jobs = [job for lane, slots in claim.slots.items() for job in self._take(lane, slots, claim.now)]
            jobs.sort(key=lambda job: (-job.priority, job.id))
            return Claimed(jobs, shelf.scheduled[0][0] if shelf.scheduled else None)

    def swap(self, old: Job, new: Job) -> bool:
        shelf = self._shelf
        with shelf.lock:
            self._fence()
            stored = shelf.jobs.get(old.id)
            if stored is None or stored.version != old.version:
                return False
            shelf.counts[stored.status] -= 1
            self._put(new)
            return True

    def renew(self, until: int) -> None:
        with self._shelf.lock:
            self._fence()
            self._shelf.leases[self._worker] = until

    def expired(self, now: int, limit: int) -> list[Job]:
        shelf = self._shelf
        with shelf.lock:
            self._fence()
            alive = {worker for worker, until in shelf.leases.items() if until >= now}
            alive.add(self._worker)
            jobs = [
                job for job in shelf.jobs.values() if job.status is Status.RUNNING and job.worker not in alive
            ]
            held = {job.worker for job in jobs}
            for worker in [worker for worker in shelf.leases if worker not in alive and worker not in held]:
                del shelf.leases[worker]
            return sorted(jobs)[:limit]

    def get(self, job_id: int) -> Job | None:
        return self._shelf.jobs.get(job_id)

    def find(
        self,
        *,
        status: Status | None = None,
        task: str | None = None,
        queue_name: str | None = None,
        before: int | None = None,
        limit: int = 50,
    ) -> Page:
        with self._shelf.lock:
            wanted = [
                job
                for job in self._shelf.jobs.values()
                if (status is None or job.status is status)
                and (task is None or job.task == task)
                and (queue_name is None or job.queue_name == queue_name)
                and (before is None or job.id < before)
            ]
        wanted.sort(key=lambda job: -job.id)
        return Page(wanted[:limit], wanted[limit - 1].id if len(wanted) > limit else None)

    def counts(self) -> dict[Status, int]:
        return dict(self._shelf.counts)

    def prune(self, before: int, limit: int) -> int:
        shelf = self._shelf
        with shelf.lock:
            old = [
                job.id
                for job in shelf.jobs.values()
                if job.finished_at is not None and job.finished_at < before and job.status in FINISHED
            ][:limit]
            for job_id in old:
                self._forget(job_id)
            return len(old)

    def _fence(self) -> None:
        if self._worker not in self._shelf.leases:
            if not self._worker:
                raise StoreUnavailable("memory:// is not open: call open() first.")
            raise LeaseLost(f"worker {self._worker} let its lease run out, and others have its jobs.")

    def _put(self, job: Job) -> None:
        shelf = self._shelf
        shelf.jobs[job.id] = job
        shelf.counts[job.status] += 1
        if job.status is Status.READY:
            if job.run_after <= self._clock.now():
                self._queue(job)
            else:
                heappush(shelf.scheduled, (job.run_after, job.id))
        elif job.finished_at is not None:
            shelf.finished.append(job.id)
            if len(shelf.finished) > self._keep:
                self._forget(shelf.finished.popleft())

    def _forget(self, job_id: int) -> None:
        job = self._shelf.jobs.get(job_id)
        if job is not None and job.is_finished:
            del self._shelf.jobs[job_id]
            self._shelf.counts[job.status] -= 1

    def _queue(self, job: Job) -> None:
        heappush(self._shelf.ready.setdefault(job.lane, []), (-job.priority, job.id))

    def _promote(self, now: int) -> None:
        scheduled = self._shelf.scheduled
        while scheduled and (scheduled[0][0] <= now or self._is_stale(*scheduled[0])):
            run_after, job_id = heappop(scheduled)
            if not self._is_stale(run_after, job_id):
                self._queue(self._shelf.jobs[job_id])

    def _is_stale(self, run_after: int, job_id: int) -> bool:
        job = self._shelf.jobs.get(job_id)
        return job is None or job.status is not Status.READY or job.run_after != run_after

    def _take(self, lane: str, slots: int, now: int) -> Iterator[Job]:
        shelf = self._shelf
        heap = shelf.ready.get(lane, [])
        while slots and heap:
            _, job_id = heappop(heap)
            job = shelf.jobs.get(job_id)
            if job is None or job.status is not Status.READY or job.run_after > now:
                continue
            slots -= 1
            shelf.jobs[job_id] = claimed = job.claimed(self._worker, now)
            shelf.counts[Status.READY] -= 1
            shelf.counts[Status.RUNNING] += 1
            yield claimed
