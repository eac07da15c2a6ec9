"""The course of a schedule: which of its slots have been dealt with, and what is due by policy. Pure.

One moment would do, that of the last slot, if clocks only went forward. A clock that was a year ahead for a minute,
though, would then have the last slot in the next year, and nothing would be due until that has come. So it is kept
as *stretches*, spans of time all of whose slots are done with, and the moment up to which it was followed last. When
the clock is set back that moment goes with it: what was jumped over is open, and comes in its time, and no slot of
a stretch comes again.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from itertools import pairwise
from math import inf
from typing import Literal, NamedTuple

from greenroom.clock import SECOND, as_moment
from greenroom.schedule import Pause, Schedule, nothing

Coalesce = Literal["latest", "all", "earliest", "skip"]

CAP = 1000  # slots made up for at once by coalesce="all"
ON_TIME = 60 * SECOND  # late by no more than that, a slot has not been missed
SETTLED = 60 * SECOND  # what was left out so shortly before a slot is never opened again: clocks are set by less
KEPT = 20  # stretches
UNSET = as_moment(datetime(2026, 1, 1, tzinfo=UTC))  # a clock that shows a time before this was written is not set

Stretch = tuple[int, int]


class Policy(NamedTuple):
    """What becomes of slots that were missed. `grace` is how late one may be; None: until the next one is due."""

    coalesce: Coalesce = "latest"
    grace: int | None = None

    def choose(self, schedule: Schedule, after: int, now: int, pause: Pause) -> list[int]:
        """Which of the slots after the one moment and up to now are enqueued."""
        oldest = after if self.grace is None else max(after, now - self.grace - 1)
        match self.coalesce:
            case "all":
                return schedule.last(oldest, now, CAP, pause)
            case "latest":
                return schedule.last(oldest, now, 1)
            case "skip":
                return schedule.last(max(oldest, now - ON_TIME - 1), now, 1)
            case "earliest":
                first = schedule.following(oldest)
                return [first] if first is not None and first <= now else []

    def allows(self, late: int) -> bool:
        """Whether a slot that alone is due, and so late, is enqueued."""
        return not ((self.grace is not None and late > self.grace) or (self.coalesce == "skip" and late > ON_TIME))


class Due(NamedTuple):
    """The slots to enqueue, the course once they are, and the first one missed if some are left out."""

    slots: list[int]
    course: Course
    left_out: int | None = None


class Course(NamedTuple):
    """What has been dealt with: `stretches`, in order and apart from each other.

    `at` is the moment up to which it was followed, and `since` the one before which nothing is made up for, for it
    began or was resumed there.
    """

    stretches: tuple[Stretch, ...]
    at: int
    since: int

    def due(self, schedule: Schedule, policy: Policy, now: int, pause: Pause = nothing) -> Due:
        """What is due at this moment, by a clock that may have been set since the last one."""
        start = self._start(now)
        if start is None:
            return Due([], self._replace(at=now, since=self.since if now < UNSET else now))
        first = self._open_after(schedule, start)
        if first is None or first > now:
            return Due([], self)
        second = schedule.following(first)
        if (second is None or second > now) and policy.allows(now - first):
            return Due([first], self._with((start, first), at=first))  # as it nearly always is
        slots = [slot for slot in policy.choose(schedule, start, now, pause) if self._holding(slot) is None]
        (last,) = schedule.last(start, now, 1)
        taken = [(start if slots[0] == first else slots[0], slots[-1])] if slots else []
        course = self._with(*taken, (max(start, last - SETTLED), last), at=last)
        return Due(slots, course, None if taken and taken[0][0] == start and policy.coalesce == "all" else first)

    def next(self, schedule: Schedule, now: int) -> int | None:
        """When to ask what is due: at the first slot that has not been dealt with, or now."""
        start = self._start(now)
        return now if start is None else self._open_after(schedule, start)

    def resumed(self, now: int) -> Course:
        """Nothing before now is to be made up for."""
        return self._replace(at=now, since=now)

    def text(self) -> str:
        """What `course_of` makes it of again, to be stored."""
        return json.dumps(self._asdict())

    def _start(self, now: int) -> int | None:
        """After which moment slots are due; None if after the present one, which is to be noted then."""
        if self.at <= now:
            return max(self.at, self.since) if self.since <= now else self.at
        if now < self.since:
            return None
        # The clock was set back: it goes on from the end of the stretch before.
        return max([self.since, *(last for first, last in self.stretches if first <= now)])

    def _open_after(self, schedule: Schedule, moment: int) -> int | None:
        """The first slot after that moment that has not been dealt with."""
        slot = schedule.following(moment)
        while slot is not None and (over := self._holding(slot)) is not None:
            slot = schedule.following(over[1])
        return slot

    def _holding(self, moment: int) -> Stretch | None:
        return next((stretch for stretch in self.stretches if stretch[0] <= moment <= stretch[1]), None)

    def _with(self, *more: Stretch, at: int) -> Course:
        return self._replace(stretches=_apart([*self.stretches, *more], at), at=at)


def new_course(now: int) -> Course:
    """That of a schedule which takes effect now."""
    return Course((), now, now)


def course_of(text: str) -> Course:
    """The course that gave this as its `text()`."""
    values = json.loads(text)
    if isinstance(values, list):  # as it was kept once: the stretch that was added to last stood last
        stretches, at = [(first, last) for first, last in values], values[-1][1]
        return Course(_apart(stretches, at), at, min(stretches)[0])
    return Course(tuple((first, last) for first, last in values["stretches"]), values["at"], values["since"])


def _apart(stretches: list[Stretch], at: int) -> tuple[Stretch, ...]:
    """The same in order, those that touch made one. Of too many gaps the narrowest are closed, never that at `at`."""
    apart: list[Stretch] = []
    for first, last in sorted(stretches):
        if apart and first <= apart[-1][1]:
            apart[-1] = (apart[-1][0], max(last, apart[-1][1]))
        else:
            apart.append((first, last))
    while len(apart) > KEPT:
        pairs = list(pairwise(apart))
        widths = [inf if before[0] <= at < after[0] else after[0] - before[1] for before, after in pairs]
        narrowest = widths.index(min(widths))
        (first, _), (_, last) = pairs[narrowest]
        apart[narrowest : narrowest + 2] = [(first, last)]
    return tuple(apart)
