"""The runner: claims due jobs, as many as its lanes have room for, and settles them.

It does not poll. It claims when a slot comes free and more is known to wait, when the next job falls due, and
when it is woken; the safety net looks every 30 seconds. A due job enqueued here while a slot is free never waits
to be claimed: it is stored as claimed already and handed over once it is on disk (the local hand-off).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from math import inf
from typing import Any

from gevent import get_hub
from gevent.event import Event

from greenroom._attempt import Attempt
from greenroom._native import get_ident
from greenroom._service import Service
from greenroom.clock import SECOND, Clock
from greenroom.errors import LeaseLost, StoreError
from greenroom.job import Job, Status
from greenroom.lanes import Lane
from greenroom.outcome import Cancelled, Outcome, Released
from greenroom.stores.base import Claim, Store

log = logging.getLogger("greenroom")

SAFETY_NET = 30.0


class Runner:
    """Runs the jobs of one store. `find_task`, `started` and `settled` are the room's."""

    def __init__(
        self,
        store: Store,
        *,
        lanes: Mapping[str, Lane],
        codec: Any,
        clock: Clock,
        find_task: Callable[[str], Any],
        started: Callable[[Job], None],
        settled: Callable[[Job], None],
    ) -> None:
        self.attempts: dict[int, Attempt] = {}
        self.service = Service(f"runner of {store.url}", self._turn)
        self._store = store
        self._lanes = lanes
        self._codec = codec
        self._clock = clock
        self._find_task = find_task
        self._started = started
        self._settled = settled
        self._is_running = False
        self._halted = Event()
        self._hub = get_hub()
        self._home = get_ident()
        # Lanes of which the store may hold ready jobs; of the others it is known to hold none.
        self._backlog = set(lanes)
        self._next_due: int | None = None
        self._saved: dict[int, float] = {}
        clock.watch(self.wake)

    def start(self) -> None:
        self._is_running = True
        self._halted.clear()
        self._backlog = set(self._lanes)
        self.service.start()

    def stop(self) -> None:
        """Claim nothing more; what runs goes on."""
        self._is_running = False
        self.service.stop()

    def wake(self) -> None:
        """Look at the store now: something may be ready that was not put there through this runner."""
        self._backlog = set(self._lanes)
        self.service.wake()

    def has_backlog(self) -> bool:
        """Whether ready jobs may be waiting in the store."""
        return bool(self._backlog)

    def slot_freed(self, lane: str) -> None:
        if lane in self._backlog:
            self.service.wake()

    def add(self, jobs: list[Job]) -> None:
        """Store the jobs, and run those that are due as soon as there is room. Returns when they are on disk."""
        if get_ident() != self._home:
            self._store.add(jobs)
            self._hub.loop.run_callback_threadsafe(self._notice, jobs)
        elif len(jobs) == 1 and self._can_take(jobs[0]):
            self._hand_over(jobs[0])
        else:
            # Noticed first: the claim comes behind them in the store's queue, and shares their commit.
            self._notice(jobs)
            self._store.add(jobs)

    def give_back(self) -> None:
        """Release what still runs, at no cost to it: the room is stopping."""
        for attempt in list(self.attempts.values()):
            attempt.stop(Released(self._clock.now()))

    def disown(self) -> None:
        """Release what did not end even so, in the store alone: whatever it comes to later is fenced off."""
        self._halted.set()
        for attempt in list(self.attempts.values()):
            log.warning(
                "task %s (job %s) does not end: given back while it runs", attempt.job.task, attempt.job.id
            )
            self._store.swap(attempt.job, attempt.job.after(Released(self._clock.now()), self._clock.now()))

    def cancel(self, job: Job, reason: str) -> bool:
        """Call a job off: at once if it waits, at its next chance to end if it runs here."""
        attempt = self.attempts.get(job.id)
        if attempt is not None:
            attempt.stop(Cancelled(reason))
            return True
        if job.status is not Status.READY:
            return False
        new = job.after(Cancelled(reason), self._clock.now())
        if swapped := self._store.swap(job, new):
            self._settled(new)
        return swapped

    def save(self, attempt: Attempt) -> None:
        """Store an attempt's progress, about once a second."""
        now = self._clock.monotonic()
        if now - self._saved.get(attempt.job.id, -inf) < 1.0:
            return
        self._saved[attempt.job.id] = now
        job = attempt.job
        new = job._replace(progress=attempt.progress_made, version=job.version + 1)
        if self._store.swap(job, new):
            attempt.job = new

    def _can_take(self, job: Job) -> bool:
        return (
            self._is_running
            and job.run_after <= self._clock.now()
            and job.lane not in self._backlog
            and self._lanes[job.lane].room > 0
        )

    def _hand_over(self, job: Job) -> None:
        lane = self._lanes[job.lane]
        claimed = job.claimed(self._store.worker, self._clock.now())
        lane.reserve(1)
        try:
            self._store.add([claimed])
        except StoreError:
            raise
        except BaseException:
            # Killed while it waited: the job may be on disk or not. What is stored first is swapped after it.
            self._store.swap(claimed, claimed.after(Released(claimed.run_after), claimed.run_after))
            self.wake()
            raise
        finally:
            lane.reserve(-1)
        self._begin(claimed)

    def _notice(self, jobs: Iterable[Job]) -> None:
        now = self._clock.now()
        for job in jobs:
            if job.run_after <= now:
                self._backlog.add(job.lane)
                self.service.wake()
            elif self._next_due is None or job.run_after < self._next_due:
                self._next_due = job.run_after
                self.service.wake()

    def _turn(self) -> float | None:
        now = self._clock.now()
        if self._next_due is not None and self._next_due <= now:
            self._backlog = set(self._lanes)
        slots = {name: lane.room for name, lane in self._lanes.items() if name in self._backlog and lane.room}
        if slots:
            self._claim(now, slots)
        if self._next_due is None:
            return SAFETY_NET
        return min(SAFETY_NET, max(0.0, (self._next_due - self._clock.now()) / SECOND))

    def _claim(self, now: int, slots: dict[str, int]) -> None:
        # What goes beyond the slots is left to those who enqueue while we ask: short jobs end before we know.
        held = {lane: max(0, number - self._lanes[lane].ahead) for lane, number in slots.items()}
        self._reserve(held, 1)
        self._backlog -= set(slots)  # before asking: what is added while we ask counts anew
        try:
            jobs, self._next_due = self._store.claim(Claim(now, slots))
        except BaseException:
            self._backlog |= set(slots)
            raise
        finally:
            self._reserve(held, -1)
        for job in jobs:
            slots[job.lane] -= 1
            self._begin(job)
        self._backlog |= {lane for lane, left in slots.items() if not left}

    def _reserve(self, slots: Mapping[str, int], sign: int) -> None:
        for lane, number in slots.items():
            self._lanes[lane].reserve(sign * number)

    def _begin(self, job: Job) -> None:
        attempt = Attempt(
            job,
            self._find_task(job.task),
            codec=self._codec,
            clock=self._clock,
            settle=self._settle,
            save=self.save,
        )
        self.attempts[job.id] = attempt
        self._lanes[job.lane].start(attempt)
        self._started(job)

    def _settle(self, attempt: Attempt) -> None:
        outcome = attempt.outcome
        assert outcome is not None  # noqa: S101
        try:
            new = self._record(attempt, outcome)
        finally:
            self.attempts.pop(attempt.job.id, None)
            self._saved.pop(attempt.job.id, None)
        if new is None:
            return
        if new.status is Status.READY:
            self._notice([new])
        self._settled(new)

    def _record(self, attempt: Attempt, outcome: Outcome) -> Job | None:
        """Store the outcome, however long the store is in trouble; None if it is not to be stored."""
        pause = 0.5
        while True:
            try:
                return self._swap(attempt, outcome)
            except LeaseLost as error:
                log.warning("job %s: its outcome is dropped: %s", attempt.job.id, error)
                return None
            except StoreError:
                log.exception("job %s: its outcome cannot be stored yet", attempt.job.id)
            if self._halted.wait(pause):
                return None
            pause = min(pause * 2, SAFETY_NET)

    def _swap(self, attempt: Attempt, outcome: Outcome) -> Job | None:
        job = attempt.job
        while True:
            latest = job if attempt.progress_made is None else job._replace(progress=attempt.progress_made)
            new = latest.after(outcome, self._clock.now())
            if self._store.swap(job, new):
                return new
            stored = self._store.get(job.id)
            if stored is None or stored.worker != job.worker or stored.attempt != job.attempt:
                log.warning("job %s: fenced off: it was given to another worker meanwhile", job.id)
                return None
            job = stored
