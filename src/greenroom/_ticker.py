"""The ticker: enqueues each slot of each schedule, once, however many processes are up.

Every process ticks, and none leads. Whoever is first to change a schedule's mark in the store has enqueued the slot,
for the job is stored in the same transaction; the others find the mark changed, and go on from there. There is one
timer, for the next slot of all schedules. A slot is enqueued a moment ahead, as a job to be run at its time, so that
no disk stands between the slot and the task.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import compress
from math import inf
from typing import Any, NamedTuple

from gevent import get_hub
from gevent.event import Event

from greenroom._course import CAP, Course, Due, course_of, new_course
from greenroom._native import get_ident
from greenroom._periodic import Periodic, horizon, periodic_of
from greenroom._service import Service
from greenroom._side import Side
from greenroom.clock import SECOND, Clock, as_datetime
from greenroom.job import Job
from greenroom.schedule import Unreadable
from greenroom.stores.base import Mark, Tick

log = logging.getLogger("greenroom")

LOOK = 30.0  # seconds: after so long it is seen at the latest that a clock was set, or that others changed a schedule
BATCH = 10  # schedules at a time, in one transaction
BUDGET = 0.002  # seconds for which the loop is held at a time, to find slots and make jobs
ONE_START = 60 * SECOND  # processes that start within so long of each other are one start


class _Entry(NamedTuple):
    """A schedule as this process last saw it; `next` is its first slot to come, or overdue."""

    mark: Mark
    periodic: Periodic
    course: Course
    next: int | None


class Ticker:
    """Ticks for the schedules that `declared` names, and for those that were added, on one side."""

    def __init__(
        self,
        side: Side,
        *,
        clock: Clock,
        declared: Mapping[str, Periodic],
        find_task: Callable[[str], Any],
    ) -> None:
        self.service = Service(f"ticker of {side.store.url}", self._turn)
        self._side = side
        self._clock = clock
        self._declared = declared
        self._find_task = find_task
        self._entries: dict[str, _Entry] = {}
        self._claimed: set[str] = set()  # declared schedules whose marks have been brought up to date
        self._told_of: set[str] = set()  # those that mean nothing here
        self._looked_at = -inf
        self._went_on_at = 0.0  # when it last gave way
        self._is_told = False  # that there is something to see
        self._last_now = 0
        self._hub = get_hub()
        self._home = get_ident()
        clock.watch(self.service.wake)
        side.rescheduled = self.wake

    def start(self) -> None:
        if (
            self._clock.passes and not self._declared
        ):  # a room without schedules does not read them before it has served anybody
            self._looked_at = self._clock.monotonic() - LOOK + 1
        self.service.start()

    def stop(self) -> None:
        """Enqueue nothing more."""
        self.service.stop()

    def wake(self) -> None:
        """Look at the store now: a schedule was changed there. From any thread."""
        if get_ident() != self._home:
            self._hub.loop.run_callback_threadsafe(self.wake)
            return
        self._is_told = True
        self.service.wake()

    def _turn(self) -> float:
        self._went_on_at = time.perf_counter()
        if self._is_told or self._clock.monotonic() - self._looked_at >= LOOK:
            self._is_told = False  # before looking: who tells of something meanwhile has it looked at again
            self._looked_at = -inf  # whatever goes wrong, it is not taken for done
            self._look()
        now = horizon(self._clock)
        if now < self._last_now:
            self._entries = {name: self._entry(entry.mark, now, entry) for name, entry in self._entries.items()}
        self._last_now = now
        due = [entry for entry in self._entries.values() if entry.next is not None and entry.next <= now]
        if due:
            self._tick(due[:BATCH], now)
            return 0
        return self._until_next()

    def _until_next(self) -> float:
        look_again = max(0.0, self._looked_at + LOOK - self._clock.monotonic())
        coming = min((entry.next for entry in self._entries.values() if entry.next is not None), default=None)
        if coming is None:
            return look_again
        return min(look_again, max(0.0, (coming - horizon(self._clock)) / SECOND))

    def _look(self) -> None:
        """Read the marks, and see that each declared schedule has its own."""
        now = horizon(self._clock)
        marks = {mark.name: mark for mark in self._side.store.marks()}
        ticks, all_declared = [], list(self._declared.values())  # more of them may be declared during a pause
        for declared in all_declared:
            if tick := self._claim(declared, marks.get(declared.name), now):
                ticks.append(tick)
            self._pause()
        if ticks and not all(self._make(ticks)):
            return  # another process was faster, and knows as much: it is looked at again
        marks.update((tick.new.name, tick.new) for tick in ticks if tick.new is not None)
        self._claimed.update(declared.name for declared in all_declared)
        self._take_in(marks, now)
        self._looked_at = self._clock.monotonic()

    def _take_in(self, marks: Mapping[str, Mark], now: int) -> None:
        known, entries = self._entries, {}
        for name, mark in marks.items():
            entry = known.get(name)
            if entry is None or entry.mark != mark:
                entry = self._entry(mark, now, entry)
                self._pause()
            if self._is_ours(entry.periodic):
                entries[name] = entry
                self._tell_of_unreadable(entry.periodic)
        self._entries = entries

    def _claim(self, declared: Periodic, mark: Mark | None, now: int) -> Tick | None:
        """What brings the mark of a declared schedule up to date, once in the life of this room.

        Only then: in a deploy the old process and the new one would otherwise take turns at changing it.
        """
        if mark is None:
            return self._with_start(declared, None, new_course(now))
        if declared.name in self._claimed:
            return None
        stored, course = periodic_of(mark.name, mark.definition), course_of(mark.course)
        if stored.schedule != declared.schedule:
            course = new_course(now)  # by the new schedule, nothing before now was to be done
        tick = self._with_start(declared.as_it_stands(stored), mark, course)
        return None if tick.new == mark else tick

    def _with_start(self, periodic: Periodic, mark: Mark | None, course: Course) -> Tick:
        jobs: list[Job] = []
        now = self._clock.now()
        started_at = periodic.started_at
        is_one_more = started_at is not None and abs(now - started_at) < ONE_START
        if periodic.run_on_start and not periodic.is_paused and not is_one_more:
            periodic = replace(periodic, started_at=now)
            jobs = self._jobs(periodic, [now])
        slot = None if mark is None else mark.slot
        return Tick(mark, Mark(periodic.name, slot, course.text(), periodic.text()), jobs)

    def _is_ours(self, periodic: Periodic) -> bool:
        """Whether this process may enqueue it: what no code declares any more is not, nor what it cannot run."""
        is_wanted = periodic.origin == "added" or periodic.name in self._declared
        return is_wanted and not periodic.is_paused and self._find_task(periodic.task) is not None

    def _entry(self, mark: Mark, now: int, known: _Entry | None = None) -> _Entry:
        if known is not None and known.mark.definition == mark.definition:
            periodic = known.periodic
        else:
            periodic = periodic_of(mark.name, mark.definition)
        course = course_of(mark.course)
        return _Entry(mark, periodic, course, course.next(periodic.schedule, now))

    def _tick(self, entries: list[_Entry], now: int) -> None:
        """Enqueue what is due, unless another process has."""
        dues = self._dues(entries, now)
        made = self._make([self._tick_of(entry, due) for entry, due in dues])
        for (entry, due), is_made in zip(dues, made, strict=True):
            if not is_made:
                self._looked_at = -inf
                continue
            mark = _moved(entry.mark, due)
            self._entries[mark.name] = self._entry(mark, now, entry)
            if due.left_out is not None:
                self._tell_of(entry.periodic, due)

    def _dues(self, entries: list[_Entry], now: int) -> list[tuple[_Entry, Due]]:
        """What is due of these schedules, or of as many of them as make about one transaction's slots."""
        ahead, dues, left = now - self._clock.now(), [], CAP
        for entry in entries:
            due = entry.periodic.due(entry.course, now, ahead, self._pause)
            dues.append((entry, due))
            left -= len(due.slots)
            if left <= 0:
                break
        return dues

    def _tick_of(self, entry: _Entry, due: Due) -> Tick:
        return Tick(entry.mark, _moved(entry.mark, due), self._jobs(entry.periodic, due.slots))

    def _make(self, ticks: list[Tick]) -> list[bool]:
        made = self._side.store.tick(ticks)
        jobs = [job for tick in compress(ticks, made) for job in tick.jobs]
        self._side.runner.notice(jobs)
        for job in jobs:
            self._side.enqueued(job)
            self._pause()
        return made

    def _jobs(self, periodic: Periodic, slots: list[int]) -> list[Job]:
        task, now, jobs = self._find_task(periodic.task), self._clock.now(), []
        for slot in slots:
            jobs.append(periodic.job(self._side.new_id(), task, slot, now))
            self._pause()
        return jobs

    def _pause(self) -> None:
        """Give way to others, if they have waited for long enough."""
        if time.perf_counter() - self._went_on_at >= BUDGET:
            Event().wait(0)
            self._went_on_at = time.perf_counter()

    def _tell_of(self, periodic: Periodic, due: Due) -> None:
        log.warning(
            "schedule %r (%s): slots since %s were missed; enqueued late: %s (coalesce=%r)",
            periodic.name,
            periodic.schedule,
            as_datetime(due.left_out or 0).isoformat(),
            len(due.slots) or "none",
            periodic.policy.coalesce,
        )

    def _tell_of_unreadable(self, periodic: Periodic) -> None:
        schedule = periodic.schedule
        if isinstance(schedule, Unreadable) and periodic.name not in self._told_of:
            self._told_of.add(periodic.name)
            log.error(
                "schedule %r (%s) means nothing to this process, which does not enqueue it: %s",
                *(periodic.name, schedule, schedule.reason),
            )


def _moved(mark: Mark, due: Due) -> Mark:
    slot = due.slots[-1] if due.slots else mark.slot
    return mark._replace(slot=slot, course=due.course.text())
