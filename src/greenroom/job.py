"""A job: one request to run a task, as frozen data.

The whole state machine is four pure methods: `claimed`, `after`, `call_off` and `again`. Stores never decide;
they compare `version` and swap.

    READY ──claimed──> RUNNING ──after──> SUCCESSFUL | FAILED | CANCELLED
      ^                   │
      └──Retried/Released─┘               "scheduled" and "waiting for a retry" are READY with a later run_after
         /Crashed
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Any, NamedTuple

from greenroom.outcome import Cancelled, Crashed, Failed, Outcome, Released, Retried, Succeeded, TaskError

ERRORS_KEPT = 20
_CALLED_OFF = "to be cancelled: "
SUSPICIOUS = 2  # crashes. One is no reason for suspicion: it may have been a power cut, or somebody's kill -9

CRASHED = "greenroom.Crashed"  # the class path of an error that is a process's death
QUARANTINED = "greenroom.Quarantined"

# On every job's path, and so without the checks of `_replace`, which takes 4 times as long.
_new: Callable[[type[Job], tuple[Any, ...]], Job] = tuple.__new__


class Status(StrEnum):
    """Where a job stands: Django's four, and CANCELLED."""

    READY = "READY"
    RUNNING = "RUNNING"
    SUCCESSFUL = "SUCCESSFUL"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


# By their own names where every job passes: to look one up on an Enum takes longer than to use it.
_READY, _RUNNING, _SUCCESSFUL = Status.READY, Status.RUNNING, Status.SUCCESSFUL


class Progress(NamedTuple):
    """How far a running job says it is."""

    done: float
    total: float | None
    note: str


class Job(NamedTuple):
    """One request to run a task.

    A named tuple and not a dataclass: a change costs 1.1 us instead of 5.1, and a row binds as it stands.
    Moments are microseconds since 1970 in UTC. `payload` and `result` are as the room's codec made them.
    """

    id: int
    task: str
    payload: object
    queue_name: str
    lane: str
    priority: int
    max_attempts: int
    run_after: int
    expires_at: int | None
    enqueued_at: int
    context: str | None = None
    status: Status = Status.READY
    attempt: int = 0
    version: int = 0
    worker: int | None = None
    started_at: int | None = None
    finished_at: int | None = None
    errors: tuple[TaskError, ...] = ()
    result: object = None
    progress: Progress | None = None
    note: str | None = None
    crashes: int = 0

    @property
    def is_finished(self) -> bool:
        return self.status is not _READY and self.status is not _RUNNING

    @property
    def is_suspect(self) -> bool:
        """Whether it may be what makes processes die: it begins late after a start, beside no other suspect."""
        return self.crashes >= SUSPICIOUS and not self.is_finished

    @property
    def called_off(self) -> str | None:
        """Why whoever runs it is to end it, if so."""
        if self.status is not _RUNNING or self.note is None or not self.note.startswith(_CALLED_OFF):
            return None
        return self.note.removeprefix(_CALLED_OFF)

    def claimed(self, worker: int, now: int) -> Job:
        """Taken by a worker: one more attempt begins, when it is due."""
        moving = (
            _RUNNING,
            self.attempt + 1,
            self.version + 1,
            worker,
            max(now, self.run_after),
            self.finished_at,
            self.errors,
            self.result,
            self.progress,  # where the attempt before came to, for those that go on from there
            None,
            self.crashes,
        )
        return _new(Job, self[:11] + moving)

    def after(self, outcome: Outcome, now: int) -> Job:
        """Make the job that this one becomes when its attempt has come to `outcome`."""
        if isinstance(outcome, Succeeded):  # nearly all of them, and a match takes as long as all the rest
            return self._succeeded(outcome.value, now)
        match outcome:
            case Retried(_, error) | Crashed(error, _) if self.called_off is not None:
                return self._finished(Status.CANCELLED, now, note=self.called_off, errors=self._errors_with(error))
            case Released() if self.called_off is not None:
                return self._finished(Status.CANCELLED, now, note=self.called_off)
            case Retried(run_after, error) if self.attempt < self.max_attempts:
                return self._ready(run_after, errors=self._errors_with(error))
            case Retried(_, error) | Failed(error):
                return self._finished(Status.FAILED, now, errors=self._errors_with(error))
            case Cancelled(reason):
                return self._finished(Status.CANCELLED, now, note=reason)
            case Released(run_after, note):
                return self._ready(run_after, attempt=max(0, self.attempt - 1), note=note)
            case Crashed(error, allowed):
                return self._crashed(error, allowed, now)

    def call_off(self, reason: str) -> Job:
        """A running job that whoever runs it is to end: from here on it is not tried again."""
        return self._replace(version=self.version + 1, note=_CALLED_OFF + reason)

    def again(self, now: int) -> Job:
        """A finished job made ready once more, with one attempt added to its allowance, and above suspicion."""
        allowed = max(self.max_attempts, self.attempt + 1)
        return self._ready(now, max_attempts=allowed, finished_at=None, result=None, crashes=0)

    def _succeeded(self, value: object, now: int) -> Job:
        moving = (
            _SUCCESSFUL,
            self.attempt,
            self.version + 1,
            None,
            self.started_at,
            now,
            self.errors,
            value,
            self.progress,
            self.note,
            self.crashes,
        )
        return _new(Job, self[:11] + moving)

    def _crashed(self, error: TaskError, allowed: int, now: int) -> Job:
        crashes = self.crashes + 1
        if crashes >= allowed:
            error = error._replace(
                exception_class_path=QUARANTINED,
                message=f"quarantined: its process died {_times(crashes)} while it ran it ({error.message}). If that "
                "was not its doing, or is mended, release it with result.retry()",
            )
        elif self.attempt < self.max_attempts:
            return self._ready(now, errors=self._errors_with(error), crashes=crashes)
        return self._finished(Status.FAILED, now, errors=self._errors_with(error), crashes=crashes)

    def _ready(self, run_after: int, **changes: Any) -> Job:
        changes.setdefault("note", None)
        return self._replace(
            status=Status.READY, version=self.version + 1, worker=None, run_after=run_after, **changes
        )

    def _finished(self, status: Status, now: int, **changes: Any) -> Job:
        return self._replace(status=status, version=self.version + 1, worker=None, finished_at=now, **changes)

    def _errors_with(self, error: TaskError) -> tuple[TaskError, ...]:
        # A job snoozed or retried for a year must not grow without end: the first error and the latest stay.
        kept = self.errors if len(self.errors) < ERRORS_KEPT else (self.errors[0], *self.errors[2:])
        return (*kept, error)


def _times(number: int) -> str:
    return "once" if number == 1 else f"{number} times"
