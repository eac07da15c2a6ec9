"""Draws: what the store machine lets chance decide."""

from __future__ import annotations

from collections.abc import Container
from itertools import product
from typing import NamedTuple

from hypothesis import strategies as st

from greenroom._ids import id_at
from greenroom.clock import SECOND
from greenroom.job import Job, Status
from greenroom.outcome import Cancelled, Crashed, Failed, Outcome, Released, Retried, Succeeded
from greenroom.testing.jobs import a_finished_job, a_job, an_error


class Shape(NamedTuple):
    """What a new job is like."""

    number: int  # among those made at one moment
    lane: str
    priority: int
    delay: int
    status: Status
    task: str

    def make(self, now: int, *, worker: int, gone: Container[int]) -> Job:
        """Make a job of this shape, with none of the ids that are gone: an id is used once."""
        number = id_at(now) + self.number
        while number in gone:
            number += 100
        job = a_finished_job(finished_at=now) if self.status is Status.SUCCESSFUL else a_job()
        job = job._replace(
            id=number,
            task=self.task,
            queue_name=self.task.removeprefix("app."),
            lane=self.lane,
            priority=self.priority,
            run_after=now + self.delay,
            enqueued_at=now,
            crashes=max(0, self.number % 5 - 2),
        )
        return job.claimed(worker, now) if self.status is Status.RUNNING else job


SHAPES = [
    Shape(*values)
    for values in product(
        range(50),
        ["greenlet", "idle"],
        [0, 1, -1, (1 << 63) - 1, -(1 << 63)],
        [0, -SECOND, 1, SECOND, 10 * SECOND, 100 * SECOND],
        [Status.READY, Status.READY, Status.RUNNING, Status.SUCCESSFUL],
        ["app.send", "app.resize"],
    )
]


def _shape(number: int) -> Shape:
    return SHAPES[number]


# One draw for a whole job: one for each of its fields took half of the time.
SOME_SHAPES = st.lists(st.integers(0, len(SHAPES) - 1).map(_shape), min_size=1, max_size=5)

ANY = st.integers(0, 999)  # stands for any of those that there are
LANES = st.sampled_from(["greenlet", "idle"])
PRIORITIES = st.sampled_from([0, 0, 0, 1, -1, (1 << 63) - 1, -(1 << 63)])
DELAYS = st.sampled_from([0, 0, 0, -SECOND, 1, SECOND, 10 * SECOND, 100 * SECOND])
SLOTS = st.sampled_from([1, 2, 3, 9, 0, -1])
CRASHES = st.sampled_from([0, 0, 1, 2, 3])
OUTCOMES = st.sampled_from([Succeeded, Retried, Failed, Cancelled, Released, Crashed])


def outcome_of(kind: type[Outcome], *, now: int, delay: int) -> Outcome:
    """An outcome of that kind, at that moment."""
    if kind is Succeeded:
        return Succeeded(f'"at {now}"')
    if kind is Retried:
        return Retried(now + delay, an_error(at=now))
    if kind is Failed:
        return Failed(an_error(at=now))
    if kind is Cancelled:
        return Cancelled("not needed")
    if kind is Crashed:
        return Crashed(an_error(at=now), 4)
    return Released(now + delay, "put back")
