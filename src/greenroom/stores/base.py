"""A store: where jobs live.

The verbs are the domain's, each is atomic, and none may hold up the hub. A store never decides what becomes
of a job: it claims what is due, and swaps one version of a job for the next if nothing changed it meanwhile.
Every verb may raise `StoreError`.

Each open store is one *worker*: its number is given out once, is the fencing token of all that it writes, and
holds a lease. A worker whose lease has run out, or whose process is known to be dead, has its running jobs
listed by `expired`. Once they are in other hands it is forgotten: the next thing it wants to change is
refused (`LeaseLost`), with all that was asked at the same time, and nothing of it is written. From there on the
store is a new worker, and may be asked again.

What one worker does, the others hear of as `News`, so that nobody has to look again and again.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple, Protocol

from greenroom.clock import SECOND
from greenroom.job import Job, Status

LEASE = 30 * SECOND


class Claim(NamedTuple):
    """What a worker can take on: so many jobs of each lane, among those due at `now`, or up to `ahead` later.

    To claim ahead takes the disk out of the way of what is to begin on time. Suspects are not among them: with
    `suspect` the one that has been due for longest is taken too, whatever its lane.
    """

    now: int
    slots: Mapping[str, int]
    ahead: int = 0
    suspect: bool = False


class Claimed(NamedTuple):
    """The jobs taken, of higher priority first and then older first, and when the next one falls due.

    `next_due` is None if none is waiting for its time; it may be in the past if more are due than were taken. So is
    `next_suspect`, of the suspects, if one was asked for.
    """

    jobs: list[Job]
    next_due: int | None
    next_suspect: int | None = None


class Fate(StrEnum):
    """What has become of a worker whose jobs are to be given to others."""

    DEAD = "dead"  # its process has ended, and left them as they were
    STALLED = "stalled"  # its process lives, but let its lease run out: it was stopped, or its machine slept
    LEFT = "left"  # it closed its store, and could not give them back


class Lost(NamedTuple):
    """A running job, and what has become of the worker that ran it."""

    job: Job
    fate: Fate


class Mark(NamedTuple):
    """Where a schedule stands. But for its name, nothing in it means anything to a store.

    `slot` is the one that was enqueued last (None: none yet), `course` all that have been dealt with, and
    `definition` what the schedule is.
    """

    name: str
    slot: int | None
    course: str
    definition: str


class Tick(NamedTuple):
    """A mark to put in the place of another, and the jobs that come with it. No `old` adds it, no `new` drops it."""

    old: Mark | None
    new: Mark | None
    jobs: Sequence[Job] = ()

    @property
    def is_news(self) -> bool:
        """Whether it does more than to go on to another slot, which all who know the mark do by themselves."""
        return self.old is None or self.new is None or self.old.definition != self.new.definition


class Page(NamedTuple):
    """Some jobs, newest first. Give `next` as `before` for the page after it; None on the last."""

    jobs: list[Job]
    next: int | None


class News(NamedTuple):
    """What other workers have done, as far as it may concern this one.

    There are jobs to be taken from the moment `due` on; those `changed`, by id, have finished or are to be called
    off (None: any job may be among them); `has_left` says that a worker is gone, and may have left what it ran;
    `is_rescheduled`, that marks were added, dropped or defined anew.
    """

    due: int | None = None
    changed: frozenset[int] | None = frozenset()
    has_left: bool = False
    is_rescheduled: bool = False

    def __or__(self, other: object) -> News:
        """Both, as one."""
        if not isinstance(other, News):
            return NotImplemented
        moments = [news.due for news in (self, other) if news.due is not None]
        any_job = self.changed is None or other.changed is None
        return News(
            due=min(moments, default=None),
            changed=None if any_job else self.changed | other.changed,  # type: ignore[operator]
            has_left=self.has_left or other.has_left,
            is_rescheduled=self.is_rescheduled or other.is_rescheduled,
        )


ANYTHING = News(due=0, changed=None, has_left=True, is_rescheduled=True)  # some may have been missed


class Store(Protocol):
    """What every store can do. `greenroom.testing.StoreSuite` says it precisely."""

    @property
    def url(self) -> str:
        """Where it is, fit to be shown: no password in it."""

    @property
    def lease(self) -> int:
        """For how long a worker is believed to live that is not heard of, in microseconds."""

    @property
    def worker(self) -> int:
        """The number of this worker: from 1, never given twice in the life of the store."""

    @property
    def supports_backup(self) -> bool:
        """Whether there is something that can be copied."""

    @property
    def trouble(self) -> str | None:
        """What keeps it from its work just now, if anything. Never waits, and may be asked from any thread."""

    def open(self) -> None:
        """Make ready for use, and register as a worker. Twice is once."""

    def close(self) -> None:
        """Give up the worker's place. Jobs still running under it are expired at once. Twice is once."""

    def listen(self, heard: Callable[[News], object]) -> None:
        """Have `heard` told what other workers do while this one is open: in its event loop, soon after it is done.

        Not all that is told concerns this worker, and what is told may have been told before.
        """

    def forsake(self) -> None:
        """This is a forked child: what is open is the parent's, and is not to be touched.

        It is as if it had just been made, or else `open` raises StoreUnavailable.
        """

    def add(self, jobs: Sequence[Job]) -> None:
        """Store all of them, or none. Those RUNNING are this worker's (the local hand-off) or `LeaseLost`."""

    def claim(self, claim: Claim) -> Claimed:
        """Take due jobs, each to one worker only."""

    def swap(self, old: Job, new: Job) -> bool:
        """Put `new` in the place of `old` if the stored version is still `old.version`.

        A job's task, payload, context and the moment it was enqueued never change.
        """

    def swap_all(self, changes: Sequence[tuple[Job, Job]]) -> list[bool]:
        """As many swaps, in one transaction; say of each whether it was made."""

    def tick(self, ticks: Sequence[Tick]) -> list[bool]:
        """Make each of them, with its jobs, if the stored mark is still `old`; say of each whether it was made.

        All in one transaction, in order: of several processes that have the same tick to make, one does.
        """

    def marks(self) -> list[Mark]:
        """All marks, by name."""

    def renew(self, until: int) -> None:
        """Hold the lease until then."""

    def expired(self, now: int, limit: int) -> list[Lost]:
        """Running jobs whose worker is dead, stalled or gone, the oldest first; forgets workers that have none."""

    def get(self, job_id: int) -> Job | None:
        """The job as it is stored now."""

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
        """Jobs for people to look at, newest first; with `crashed` only those that a process died of."""

    def counts(self) -> dict[Status, int]:
        """How many jobs there are of each status, zeros included."""

    def backup(self, target: str | os.PathLike[str]) -> None:
        """Copy all of it, as it is at one moment, into a new file; it may be open or not. Raises InvalidOption."""

    def prune(self, before: int, limit: int) -> int:
        """Delete up to `limit` jobs that finished before then, the oldest first; say how many."""
