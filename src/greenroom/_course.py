"""The course of a schedule: which of its slots have been dealt with, and what is due by policy. Pure.

It is kept as *stretches*: spans of time all of whose slots are done with. One would do, and its end would be the
last slot, if clocks only went forward. A clock that was a year ahead for a minute, though, would then have the last
slot in the next year, and nothing would be due until that has come. So what was jumped over is left open, and each
slot is enqueued once, whichever way the clock comes to it.
"""

from __future__ import annotations

import json
from typing import Literal, NamedTuple

from greenroom.clock import SECOND
from greenroom.schedule import Schedule

Coalesce = Literal["latest", "all", "earliest", "skip"]

CAP = 1000  # slots made up for at once by coalesce="all"
ON_TIME = 60 * SECOND  # late by no more than that, a slot has not been missed
KEPT = 20  # stretches

Stretch = tuple[int, int]


class Policy(NamedTuple):
    """What becomes of slots that were missed. `grace` is how late one may be; None: until the next one is due."""

    coalesce: Coalesce = "latest"
    grace: int | None = None

    def choose(self, schedule: Schedule, after: int, now: int) -> list[int]:
        """Which of the slots after the one moment and up to now are enqueued."""
        oldest = after if self.grace is None else max(after, now - self.grace - 1)
        match self.coalesce:
            case "all":
                return schedule.last(oldest, now, CAP)
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
    """What has been dealt with. The stretch that was added to last stands last."""

    stretches: tuple[Stretch, ...] = ()

    def due(self, schedule: Schedule, policy: Policy, now: int) -> Due:
        """What is due at this moment, by a clock that may have been set since the last one."""
        here = self._stretch_at(now)
        if here is None:
            return Due([], self.begun(now))
        first = schedule.following(here[1])
        if first is None or first > now:
            return Due([], self)
        second = schedule.following(first)
        if (second is None or second > now) and policy.allows(now - first):
            return Due([first], self._with((here[0], first), instead_of=here))  # as it nearly always is
        slots = policy.choose(schedule, here[1], now)
        (last,) = schedule.last(here[1], now, 1)
        if slots and slots[0] == first and policy.coalesce == "all":
            return Due(slots, self._with((here[0], last), instead_of=here))
        return Due(slots, self._with((slots[0] if slots else last, last)), left_out=first)

    def next(self, schedule: Schedule, now: int) -> int | None:
        """When to ask what is due: at the first slot that has not been dealt with; now, if nothing is known."""
        here = self._stretch_at(now)
        if here is None:
            return now
        slot = schedule.following(here[1])
        while slot is not None and (over := self._holding(slot)) is not None:
            slot = schedule.following(over[1])
        return slot

    def begun(self, now: int) -> Course:
        """Nothing before now is to be made up for."""
        return self._with((now, now))

    def text(self) -> str:
        """What `course_of` makes it of again, to be stored."""
        return json.dumps(self.stretches)

    def _stretch_at(self, now: int) -> Stretch | None:
        """Where the present stands: in a stretch, or behind the nearest one before it."""
        before = [stretch for stretch in self.stretches if stretch[0] <= now]
        return self._holding(now) or max(before, key=lambda stretch: stretch[1], default=None)

    def _holding(self, moment: int) -> Stretch | None:
        holding = (stretch for stretch in self.stretches if stretch[0] <= moment <= stretch[1])
        return max(holding, key=lambda stretch: stretch[1], default=None)

    def _with(self, stretch: Stretch, instead_of: Stretch | None = None) -> Course:
        others = [each for each in self.stretches if each != instead_of]
        return Course((*others, stretch)[-KEPT:])


def course_of(text: str) -> Course:
    """The course that gave this as its `text()`."""
    return Course(tuple((first, last) for first, last in json.loads(text)))
