"""A periodic: a task that a schedule enqueues, with its arguments and what becomes of missed slots.

It is stored as the definition of its mark, so that every process enqueues the same, whatever it declares itself.
"""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from greenroom import _check
from greenroom._course import Course, Due, Policy
from greenroom.clock import Clock, as_span, moment_of
from greenroom.context import Occasion, of_occasion
from greenroom.errors import InvalidOption, InvalidTask
from greenroom.job import Job
from greenroom.schedule import Pause, Schedule, schedule_of
from greenroom.task import Task

Origin = Literal["declared", "added"]
AHEAD = 100_000  # microseconds: slots are enqueued so long before they are due
OPTIONS = ("queue_name", "priority", "max_attempts")  # what `using` may have changed, and a stored schedule keeps
_COALESCES = ("latest", "all", "earliest", "skip")


@dataclass(frozen=True, slots=True, kw_only=True)
class Periodic:
    """What a schedule enqueues. Spans and moments are in microseconds.

    `options` are those in which its task differs from what is declared, and `started_at` is when it was last enqueued
    because a process started.
    """

    name: str
    schedule: Schedule
    task: str
    payload: str
    origin: Origin
    policy: Policy = Policy()  # noqa: RUF009  (a named tuple)
    jitter: int = 0
    run_on_start: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)
    is_paused: bool = False
    started_at: int | None = None

    def text(self) -> str:
        """What `periodic_of` makes it of again, to be stored."""
        values = asdict(self) | {"schedule": self.schedule.text()}
        del values["name"]
        return json.dumps(values, sort_keys=True)

    def as_it_stands(self, stored: Periodic) -> Periodic:
        """This one, as far along as the stored one is."""
        return replace(self, is_paused=stored.is_paused, started_at=stored.started_at)

    def job(self, job_id: int, task: Task[..., Any], slot: int, now: int) -> Job:
        """The job for that slot."""
        options = {name: getattr(task, name) for name in OPTIONS} | dict(self.options)
        run_after = slot + random.randint(0, self.jitter)
        return Job(
            id=job_id,
            task=task.name,
            payload=self.payload,
            lane=task.lane,
            run_after=run_after,
            expires_at=moment_of(task.expires, max(run_after, now)),
            enqueued_at=now,
            context=of_occasion(Occasion(self.name, slot)),
            **options,
        )

    def due(self, course: Course, now: int, ahead: int, pause: Pause) -> Due:
        """What is to be enqueued now, which is so long before it is due."""
        coalesce, grace = self.policy
        return course.due(self.schedule, Policy(coalesce, None if grace is None else grace + ahead), now, pause)


def horizon(clock: Clock) -> int:
    """The moment up to which slots are enqueued just now."""
    return clock.now() + (AHEAD if clock.passes else 0)


def periodic_of(name: str, text: str) -> Periodic:
    """The one that gave this as its `text()`."""
    values = json.loads(text)
    values["schedule"], values["policy"] = schedule_of(values["schedule"]), Policy(*values["policy"])
    return Periodic(name=name, **values)


def checked(
    task: Task[..., Any],
    declared: Task[..., Any],
    *,
    name: str,
    schedule: Schedule,
    payload: str,
    origin: Origin,
    misfire_grace_time: object = None,
    coalesce: object = "latest",
    jitter: object = None,
    run_on_start: bool = False,
) -> Periodic:
    """Make one, if all of it holds together. Raises InvalidOption or InvalidTask."""
    _check.name("name", name)
    _check.flag("run_on_start", run_on_start)
    check_schedule(schedule)
    if coalesce not in _COALESCES:
        raise InvalidOption(f"coalesce={coalesce!r} is not known: use one of {', '.join(map(repr, _COALESCES))}.")
    _check_task(task, declared)
    return Periodic(
        name=name,
        schedule=schedule,
        task=task.name,
        payload=payload,
        origin=origin,
        policy=Policy(coalesce, _span("misfire_grace_time", misfire_grace_time)),  # type: ignore[arg-type]
        jitter=_span("jitter", jitter) or 0,
        run_on_start=run_on_start,
        options={it: getattr(task, it) for it in OPTIONS if getattr(task, it) != getattr(declared, it)},
    )


def check_schedule(schedule: object) -> None:
    if not isinstance(schedule, Schedule):
        remedy = f"cron({schedule!r})" if isinstance(schedule, str) else "cron('0 3 * * *') or every(minutes=5)"
        if callable(schedule):  # a task, most likely: a decorator that was not called would do nothing, in silence
            remedy = "every(minutes=5), as in @room.periodic(every(minutes=5))"
        raise InvalidOption(f"{schedule!r} is not a schedule: write {remedy}.")


def _check_task(task: Task[..., Any], declared: Task[..., Any]) -> None:
    if not task.durable:
        raise InvalidTask(
            f"{task.name} cannot be periodic: it is volatile, and a slot is stored together with its job, so that "
            "one process alone enqueues it. Declare the task without durable=False."
        )
    for option in ("run_after", "expires"):
        if getattr(task, option) != getattr(declared, option):
            raise InvalidTask(
                f"{task.name} cannot be periodic with using({option}=...): its schedule says when it runs. Leave it "
                "out, or give the task itself expires=."
            )


def _span(kind: str, value: object) -> int | None:
    length = _check.length(kind, value)
    return None if length is None else as_span(length)
