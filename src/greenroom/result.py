"""A task result: a job as seen by whoever enqueued it."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Generic, Protocol, TypeVar

from greenroom import _check
from greenroom._as_is import CallCodec
from greenroom.clock import as_datetime
from greenroom.context import occasion_in
from greenroom.errors import NotSuccessful, WaitTimeout
from greenroom.job import QUARANTINED, Job, Progress, Status
from greenroom.outcome import TaskError

T = TypeVar("T")


class Side(Protocol):
    """What a result needs of where its job lives."""

    prefix: str
    codec: CallCodec

    @property
    def is_running(self) -> bool:
        """Whether its jobs are run by this process."""

    def get(self, job_id: int) -> Job:
        """The job as it is now. Raises UnknownResult."""

    def wait_for(self, job_id: int, timeout: float | None) -> Job:
        """The job once it has finished, or as it is after `timeout` seconds."""

    def cancel(self, job_id: int, reason: str) -> bool:
        """Call it off; False if that can have no effect."""

    def retry(self, job_id: int) -> Job | None:
        """Make it ready once more; None if it has not finished."""


class TaskResult(Generic[T]):
    """What is known of a job. It is what was known when it was made, or at the last `refresh` or `wait`."""

    __slots__ = ("_job", "_side")

    def __init__(self, side: Side, job: Job) -> None:
        self._side = side
        self._job = job

    @property
    def id(self) -> str:
        return f"{self._side.prefix}{self._job.id}"

    @property
    def task_name(self) -> str:
        return self._job.task

    @property
    def queue_name(self) -> str:
        return self._job.queue_name

    @property
    def priority(self) -> int:
        return self._job.priority

    @property
    def status(self) -> Status:
        return self._job.status

    @property
    def is_finished(self) -> bool:
        return self._job.is_finished

    @property
    def attempts(self) -> int:
        """How many times it was started."""
        return self._job.attempt

    @property
    def crashes(self) -> int:
        """How many of these ended because the process died, since it was last released by hand."""
        return self._job.crashes

    @property
    def is_quarantined(self) -> bool:
        """Whether it was given up because processes died of it: `retry` releases it."""
        last = self.errors[-1:]
        return self.status is Status.FAILED and any(error.exception_class_path == QUARANTINED for error in last)

    @property
    def errors(self) -> tuple[TaskError, ...]:
        """What went wrong in each attempt that did, oldest first."""
        return self._job.errors

    @property
    def args(self) -> tuple[Any, ...]:
        return self._side.codec.decode_call(self._job.payload)[0]

    @property
    def kwargs(self) -> dict[str, Any]:
        return self._side.codec.decode_call(self._job.payload)[1]

    @property
    def return_value(self) -> T:
        """What the task returned. Raises NotSuccessful unless it did: None is a value too."""
        job = self._job
        match job.status:
            case Status.SUCCESSFUL:
                value: T = self._side.codec.decode(job.result)
                return value
            case Status.FAILED:
                last = f": {self.errors[-1].exception_class_path}: {self.errors[-1].message}" if self.errors else ""
                raise NotSuccessful(f"{self!r} failed{last}. See its `errors`.")
            case Status.CANCELLED:
                raise NotSuccessful(f"{self!r} was cancelled: {self._job.note}.")
        raise NotSuccessful(f"{self!r} has not finished: there is no return value yet. Use wait(), or refresh().")

    @property
    def progress(self) -> Progress | None:
        """How far the task last said it was."""
        return self._job.progress

    @property
    def note(self) -> str | None:
        """Why it was cancelled, or why it is parked."""
        return self._job.note

    @property
    def is_parked(self) -> bool:
        """Whether it waits for code that can run it: its task is unknown, or its arguments no longer fit."""
        return self._job.status is Status.READY and (self._job.note or "").startswith("parked: ")

    @property
    def schedule(self) -> str | None:
        """The name of the schedule that enqueued it; None if somebody else did."""
        occasion = occasion_in(self._job.context)
        return None if occasion is None else occasion.schedule

    @property
    def slot(self) -> datetime | None:
        """The slot of its schedule that it was enqueued for."""
        occasion = occasion_in(self._job.context)
        return None if occasion is None else as_datetime(occasion.slot)

    @property
    def enqueued_at(self) -> datetime:
        return as_datetime(self._job.enqueued_at)

    @property
    def run_after(self) -> datetime:
        return as_datetime(self._job.run_after)

    @property
    def started_at(self) -> datetime | None:
        """When the latest attempt began."""
        return None if self._job.started_at is None else as_datetime(self._job.started_at)

    @property
    def finished_at(self) -> datetime | None:
        return None if self._job.finished_at is None else as_datetime(self._job.finished_at)

    def refresh(self) -> None:
        """Look again. Raises UnknownResult if it was pruned meanwhile."""
        self._job = self._side.get(self._job.id)

    def wait(self, timeout: float | None = None) -> TaskResult[T]:
        """Wait until it has finished, up to `timeout` seconds (None: for ever). Raises WaitTimeout.

        Woken, not polled, whichever process it finishes in.
        """
        _check.patience("timeout", timeout)
        if not self._job.is_finished:
            self._job = self._side.wait_for(self._job.id, timeout)
            if not self._job.is_finished:
                raise WaitTimeout(f"{self!r} did not finish within {timeout} s: {self._why_not()}")
        return self

    def cancel(self, reason: str = "cancelled") -> bool:
        """Call it off, wherever it is; say whether that will have an effect. What runs is ended when it next waits.

        What comes to its own end before it is told of it has succeeded, or failed, all the same.
        """
        _check.text("reason", reason, such="reason='sold out'")
        return self._side.cancel(self._job.id, reason)

    def retry(self) -> bool:
        """Have it run once more, whatever it came to; False if it has not finished."""
        job = self._side.retry(self._job.id)
        if job is not None:
            self._job = job
        return job is not None

    def _why_not(self) -> str:
        if self.status is Status.READY and not self._side.is_running:
            return (
                "it has not begun, and this process runs no tasks, for its room is not started here. Call "
                "room.start(); a durable job is run by any other process that serves, such as `greenroom serve`: "
                "docs/where-it-starts.md."
            )
        return "it goes on. Wait again, or cancel it."

    def __repr__(self) -> str:
        return f"<TaskResult {self.id} of {self.task_name}: {self.status}>"
