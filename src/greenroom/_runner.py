"""The runner: claims due jobs, as many as its lanes have room for, and settles them.

It does not poll. It claims when a slot comes free and more is known to wait, when the next job falls due, and
when it is woken; the safety net looks every 30 seconds. A due job enqueued here while a slot is free never waits
to be claimed: it is stored as claimed already and handed over once it is on disk (the local hand-off).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from math import inf
from typing import Any, TypeVar

from gevent import get_hub, spawn

from greenroom._attempt import Attempt
from greenroom._heed import Heed
from greenroom._native import get_ident
from greenroom._recorder import Recorder
from greenroom._service import Service
from greenroom._suspects import Suspects
from greenroom.clock import SECOND, Clock
from greenroom.errors import LeaseLost, StoreError
from greenroom.job import Job, Status
from greenroom.lanes import Lane
from greenroom.outcome import Cancelled, Released
from greenroom.stores.base import Claim, News, Store

T = TypeVar("T")
log = logging.getLogger("greenroom")

SAFETY_NET = 30.0
AHEAD = 20_000  # microseconds: scheduled jobs are claimed so long before they are due, and held until they are


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
        started: Callable[[Attempt], None],
        settled: Callable[[Job], None],
    ) -> None:
        self.attempts: dict[int, Attempt] = {}
        self.service = Service(f"runner of {store.url}", self._turn)
        self.recorder = Recorder(store, clock=clock, recorded=self._recorded, dropped=self._forget)
        self.settle = self.recorder.settle
        self.heed = Heed(store, self.attempts)
        self._store = store
        self._lanes = lanes
        self.codec = codec
        self.clock = clock
        self._find_task = find_task
        self.started = started
        self._settled = settled
        self.is_running = False
        self.is_stopping = False  # what runs here is to end soon
        self.interrupts = True  # whether tasks that asked for it are interrupted then
        self._is_paused = False
        self._hub = get_hub()
        self._home = get_ident()
        # Lanes of which the store may hold ready jobs; of the others it is known to hold none.
        self._backlog = set(lanes)
        self._next_due: int | None = None
        self._ahead = AHEAD if clock.passes else 0
        self._suspects = Suspects(clock)
        self._worker = 0
        self._saved: dict[int, float] = {}
        self._looked_at = -inf
        clock.watch(self.wake)

    def start(self) -> None:
        self.is_running = True
        self._worker = self._store.worker
        self._suspects.start()
        self._look_everywhere()
        self.service.start()
        self.recorder.service.start()
        self.heed.service.start()

    def stop(self) -> None:
        """Claim nothing more; what runs goes on."""
        self.is_running = False
        self.service.stop()

    def pause(self, *, is_paused: bool) -> None:
        """Begin nothing more until told otherwise; what runs goes on."""
        self._is_paused = is_paused
        self.wake()

    @property
    def is_beginning(self) -> bool:
        """Whether work is begun here just now."""
        return self.is_running and not self._is_paused

    def wake(self) -> None:
        """Look at the store now: something may be ready that was not put there through this runner."""
        self._look_everywhere()
        self.service.wake()

    def heard(self, news: News) -> None:
        """Note what other workers have done. Waits for nothing."""
        if news.due is not None:
            self._fall_due(news.due)
        if self.is_running or self.attempts:
            self.heed.hear(news)

    def has_backlog(self) -> bool:
        """Whether ready jobs may be waiting in the store, to be run here."""
        return self.is_running and bool(self._backlog)

    def slot_freed(self, lane: str) -> None:
        if lane in self._backlog:
            self.service.wake()

    def add_one(self, job: Job) -> None:
        """Store the job, and run it as soon as there is room. Returns when it is on disk."""
        if self._can_take(job):
            self._hand_over(job)
        else:
            self.add([job])

    def add(self, jobs: list[Job]) -> None:
        """Store the jobs, all or none, and run those that are due as soon as there is room."""
        if get_ident() == self._home:
            # Noticed first: the claim comes behind them in the store's queue, and shares their commit.
            self._notice(jobs)
            self._insist(self._store.add, jobs)
        else:
            self._insist(self._store.add, jobs)
            self._notice_soon(jobs)

    def notice(self, jobs: list[Job]) -> None:
        """Run what was stored by some other way as soon as there is room. From any thread."""
        self._notice_soon(jobs)

    def give_back(self) -> None:
        """Release what still runs, at no cost to it: the room is stopping."""
        for attempt in list(self.attempts.values()):
            attempt.stop(Released(self.clock.now()))

    def disown(self) -> None:
        """Release what did not end even so, in the store alone: whatever it comes to later is fenced off."""
        self.heed.service.stop()
        self.recorder.service.stop()
        try:
            self.recorder.record()  # what it did not get round to, for trouble in the store
        except StoreError:
            for attempt in self.recorder.ended:
                log.warning("%s has ended, and that could not be recorded: it will be run again", attempt)
            raise
        for attempt in list(self.attempts.values()):
            log.warning("%s does not end: given back while it runs", attempt)
            self._store.swap(attempt.job, attempt.job_given_back(self.clock.now()))

    def disown_from_thread(self) -> None:
        """The same, from a native thread: the loop does not turn any more, and the process is about to end."""
        now = self.clock.now()
        self._store.swap_all([(it.job, it.job_given_back(now)) for it in list(self.attempts.values())])

    def cancel(self, job: Job, reason: str) -> bool:
        """Call a job off: at once if it waits, at its next chance to end if it runs, wherever that is."""
        now: Job | None = job
        while now is not None and not now.is_finished:
            attempt = self.attempts.get(job.id)
            if attempt is not None:
                attempt.stop(Cancelled(reason))
                if attempt.outcome is None or attempt.outcome is attempt.told:
                    return True
                if attempt.job.after(attempt.outcome, self.clock.now()).is_finished:
                    return False
                # Else it is to be tried again, and that is perhaps being stored just now.
            is_waiting = now.status is Status.READY
            new = now.after(Cancelled(reason), self.clock.now()) if is_waiting else now.call_off(reason)
            if self._insist(self._store.swap, now, new):
                if is_waiting:
                    self._settled(new)
                else:  # here too, perhaps, for it may be that this worker has taken it just now
                    self._hub.loop.run_callback_threadsafe(self.heed.hear, News(changed=frozenset([job.id])))
                return True
            now = self._store.get(job.id)  # it has been claimed, or has told of its progress
        return False

    def again(self, job: Job) -> Job | None:
        """Make a finished job ready once more; None if it was changed meanwhile."""
        new = job.again(self.clock.now())
        if not self._insist(self._store.swap, job, new):
            return None
        self._notice_soon([new])
        return new

    def save(self, attempt: Attempt) -> None:
        """Store an attempt's progress, about once a second."""
        now = self.clock.monotonic()
        if now - self._saved.get(attempt.job.id, -inf) < 1.0:
            return
        if get_ident() != self._home:
            self._hub.loop.run_callback_threadsafe(self._save_soon, attempt)
            return
        self._saved[attempt.job.id] = now
        job = attempt.job
        new = job._replace(progress=attempt.progress_made, version=job.version + 1)
        with suppress(StoreError):  # people look at it, and it comes again: no reason for the task to fail
            if self._store.swap(job, new):
                attempt.job = new

    def lose(self, attempt: Attempt, greenlet: Any) -> None:
        """Give the slot of an attempt that does not end to others."""
        self._lanes[attempt.job.lane].lose(attempt, greenlet, is_call=False)

    def _save_soon(self, attempt: Attempt) -> None:
        if self.attempts.get(attempt.job.id) is attempt:  # else it has ended, or goes on though it was given back
            spawn(self.save, attempt)

    def _can_take(self, job: Job) -> bool:
        return (
            self.is_beginning
            and job.lane not in self._backlog
            and job.run_after <= self.clock.now()
            and get_ident() == self._home
            and self._lanes[job.lane].room > 0
        )

    def _hand_over(self, job: Job) -> None:
        lane = self._lanes[job.lane]
        claimed = job.claimed(self._store.worker, self.clock.now())
        lane.reserve(1)
        try:
            self._store.add([claimed])
        except LeaseLost:
            lane.reserve(-1)
            self.add([job])  # nothing was written, and the store is a new worker
            return
        except StoreError:
            lane.reserve(-1)
            lane.freed()
            raise
        except BaseException:
            spawn(self._take_back, claimed)  # who was killed, or has run out of time, waits for nothing more
            raise
        lane.reserve(-1)
        self._begin(claimed)

    def _take_back(self, job: Job) -> None:
        """Make ready what nobody waits for any more, if it came to be stored: that goes before this."""
        try:
            self._store.swap(job, job.after(Released(job.run_after), job.run_after))
        except StoreError as error:
            log.warning("task %s (job %s) cannot be made ready, and will be rescued: %s", job.task, job.id, error)
        finally:
            self._lanes[job.lane].reserve(-1)
            self.wake()

    def _notice_soon(self, jobs: list[Job]) -> None:
        if get_ident() == self._home:
            self._notice(jobs)
        else:
            self._hub.loop.run_callback_threadsafe(self._notice, jobs)

    def _notice(self, jobs: Iterable[Job]) -> None:
        now = self.clock.now()
        for job in jobs:
            if job.is_suspect:
                self._suspects.notice(job.run_after)
                self.service.wake()
            elif job.run_after > now:
                self._fall_due(job.run_after)
            elif job.lane not in self._backlog:  # else it is known that there is work, and only slots are awaited
                self._backlog.add(job.lane)
                self.service.wake()

    def _fall_due(self, moment: int) -> None:
        if moment <= self.clock.now():
            self.wake()
        elif self._next_due is None or moment < self._next_due:
            self._next_due = moment
            self.service.wake()

    def _turn(self) -> float | None:
        now = self.clock.now()
        if self._worker != self._store.worker:
            self._begin_anew()
        if self._next_due is not None and self._next_due <= now + self._ahead:
            self._next_due = None  # from here on the backlog says so, which waits for a slot if need be
            self._backlog = set(self._lanes)
        if self.clock.monotonic() - self._looked_at >= SAFETY_NET:
            self._look_everywhere()
        slots = {name: lane.room for name, lane in self._lanes.items() if name in self._backlog and lane.room}
        if not self._is_paused and (slots or self._suspects.wait() <= 0):
            self._claim(now, slots)
        look_again = self._looked_at + SAFETY_NET - self.clock.monotonic()
        if not self._is_paused:
            look_again = min(look_again, self._suspects.wait())
        if self._next_due is None:
            return look_again
        return min(look_again, max(0.0, (self._next_due - self._ahead - self.clock.now()) / SECOND))

    def _claim(self, now: int, slots: dict[str, int]) -> None:
        # What goes beyond the slots is left to those who enqueue while we ask: short jobs end before we know.
        held = {lane: max(0, number - self._lanes[lane].ahead) for lane, number in slots.items()}
        self._reserve(held, 1)
        # Before asking: what is added while we ask counts anew.
        self._backlog -= set(slots)
        due, self._next_due = self._next_due, None
        claim = Claim(now, slots, self._ahead, suspect=self._suspects.wait() <= 0)
        if claim.suspect:
            self._suspects.asked()
        try:
            jobs, due, suspect = self._insist(self._store.claim, claim)
        except BaseException:
            self._backlog |= set(slots)
            if claim.suspect:
                self._suspects.look()
            raise
        finally:
            self._next_due = min((moment for moment in (due, self._next_due) if moment is not None), default=None)
            self._reserve(held, -1)
            for lane in held:
                self._lanes[lane].freed()  # the other side may have found no room meanwhile
        self._suspects.notice(suspect)
        for job in jobs:
            if job.is_suspect:
                self._suspects.begin(job.id)
            else:
                slots[job.lane] -= 1
            self._begin(job)
        self._backlog |= {lane for lane, left in slots.items() if not left}

    def _look_everywhere(self) -> None:
        self._backlog = set(self._lanes)
        self._suspects.look()
        self._looked_at = self.clock.monotonic()

    def _reserve(self, slots: Mapping[str, int], sign: int) -> None:
        for lane, number in slots.items():
            self._lanes[lane].reserve(sign * number)

    def _begin(self, job: Job) -> None:
        attempt = Attempt(job, self._find_task(job.task), self)
        self.attempts[job.id] = attempt
        early = job.run_after - self.clock.now()
        if early > 0 and self._ahead:
            self._hold(attempt, early / SECOND)
        else:
            self._lanes[job.lane].start(attempt)

    def _hold(self, attempt: Attempt, seconds: float) -> None:
        """Keep a job that was claimed ahead, and its slot, until it is due."""
        self._lanes[attempt.job.lane].reserve(1)
        self._hub.loop.update_now()  # else the timer is early by the age of the loop's clock
        timer = self._hub.loop.timer(seconds)
        timer.start(self._release, attempt, timer)

    def _release(self, attempt: Attempt, timer: Any) -> None:
        timer.close()
        lane = self._lanes[attempt.job.lane]
        lane.reserve(-1)
        lane.start(attempt)

    def _recorded(self, attempt: Attempt, new: Job) -> None:
        self._forget(attempt)
        if new.status is Status.READY:
            self._notice([new])
        if type(attempt.outcome) is not Released:
            self._settled(new)

    def _insist(self, verb: Callable[..., T], *given: Any) -> T:
        """Ask the store; if the lease was lost, and so nothing written, ask once more as the new worker."""
        try:
            return verb(*given)
        except LeaseLost:
            answer = verb(*given)
            self._hub.loop.run_callback_threadsafe(self.wake)  # it may have been looked for in vain meanwhile
            return answer

    def _begin_anew(self) -> None:
        """The store has become another worker: what the one before it ran is in other hands, and need not go on."""
        before, self._worker = self._worker, self._store.worker
        lost = [attempt for attempt in self.attempts.values() if attempt.job.worker != self._worker]
        log.warning(
            "%s: worker %s stalled, and was declared dead; it goes on as worker %s. What it ran is ended here, for "
            "others run it: %s",
            *(self._store.url, before, self._worker, ", ".join(map(str, lost)) or "nothing"),
        )
        for attempt in lost:
            attempt.stop(Released(self.clock.now()))

    def _forget(self, attempt: Attempt) -> None:
        if self.attempts.get(attempt.job.id) is attempt:  # else the next attempt of that job has begun already
            del self.attempts[attempt.job.id]
        if attempt.job.id == self._suspects.running:
            self._suspects.end()
            self.service.wake()
        if self._saved:
            self._saved.pop(attempt.job.id, None)
