"""An attempt: one run of one job, from the decoded arguments to the outcome.

The only place that catches what a task raises. `BaseException` and not `Exception`: SystemExit in a bare greenlet
ends the web server, and GreenletExit counts as success there and leaves its waiters hanging.
"""

from __future__ import annotations

import traceback
from contextvars import Context, ContextVar
from math import isfinite
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol

from gevent import Timeout, get_hub, getcurrent

from greenroom import _interrupt, context
from greenroom._as_is import CallCodec
from greenroom.clock import SECOND, Clock, as_datetime, as_span
from greenroom.errors import Cancel, InvalidArguments, InvalidOption, InvalidPayload, Retry, Snooze
from greenroom.job import Job, Progress
from greenroom.outcome import Cancelled, Failed, Outcome, Released, Retried, Succeeded, TaskError

if TYPE_CHECKING:
    from datetime import datetime

    from greenroom.task import Task

PARKED = 60 * SECOND  # until a job that nobody here can run is looked at again

current: ContextVar[Attempt] = ContextVar("greenroom_attempt")


class Stopped(BaseException):
    """Thrown into a task that is to end now. Not an Exception, so that a careless `except` lets it pass."""


class Home(Protocol):
    """What an attempt needs of whoever runs it."""

    codec: CallCodec
    clock: Clock

    def settle(self, attempt: Attempt) -> None:
        """Record the attempt's outcome."""

    def save(self, attempt: Attempt) -> None:
        """Store the attempt's progress, if it is time to."""


class Attempt:
    """One run of one job. What a task sees of it is `room.current()`."""

    __slots__ = ("_greenlet", "_home", "_stop", "job", "outcome", "progress_made", "task")

    def __init__(self, job: Job, task: Task[..., Any] | None, home: Home) -> None:
        self.job = job
        self.task = task
        self.outcome: Outcome | None = None
        self.progress_made: Progress | None = None
        self._home = home
        self._stop: Outcome | None = None
        self._greenlet: Any = None

    @property
    def attempt(self) -> int:
        """Which attempt this is, from 1."""
        return self.job.attempt

    @property
    def deadline(self) -> datetime | None:
        """When the task's timeout ends it; None without a timeout."""
        if self.task is None or self.task.timeout is None or self.job.started_at is None:
            return None
        return as_datetime(self.job.started_at) + self.task.timeout

    def progress(self, done: float, total: float | None = None, note: str = "") -> None:
        """Say how far the task is: seen at once in this process, and stored about once a second."""
        for kind, number in (("done", done), ("total", total)):
            if not (number is None and kind == "total") and not (
                isinstance(number, int | float) and isfinite(number)
            ):
                raise InvalidOption(f"progress {kind}={number!r} is not a finite number.")
        self.progress_made = Progress(done, total, storable(str(note)))
        self._home.save(self)

    def stop(self, outcome: Outcome) -> None:
        """Have it end now, with this outcome. In the hub's thread only; it ends when it next can."""
        self._stop = outcome
        if self._greenlet is not None and self._greenlet is not getcurrent():
            get_hub().loop.run_callback(self._throw)

    def run(self) -> None:
        if self._stop is not None:
            self.outcome = self._stop
            return
        self._greenlet = getcurrent()
        try:
            self.outcome = Context().run(self._perform)
        except BaseException as error:
            self.outcome = self._judge(error)
        self._greenlet = None

    def job_after(self, job: Job, now: int) -> Job:
        """What its outcome makes of the job."""
        assert self.outcome is not None, "run() comes first"  # noqa: S101
        if self.progress_made is not None:
            job = job._replace(progress=self.progress_made)
        return job.after(self.outcome, now)

    def fail(self, error: BaseException) -> None:
        """Whatever it came to, it counts as failed with this error."""
        self.progress_made = None
        self.outcome = Failed(self._describe(error))

    def finish(self) -> None:
        self._home.settle(self)

    def _perform(self) -> Outcome:
        job, task = self.job, self.task
        if task is None:
            return self._parked(f"no task is named {job.task!r} here")
        if job.expires_at is not None and job.expires_at <= self._home.clock.now():
            return Cancelled(f"expired: it was to start before {as_datetime(job.expires_at).isoformat()}")
        try:
            arguments, keywords = self._home.codec.decode_call(job.payload)
            task.check(arguments, keywords)
        except (InvalidPayload, InvalidArguments) as error:
            return self._parked(str(error))
        return self._run(task, arguments, keywords, job.context)

    def _run(
        self, task: Task[..., Any], arguments: tuple[Any, ...], keywords: dict[str, Any], carried: str | None
    ) -> Outcome:
        if carried is not None:
            context.restore(carried)
        current.set(self)
        if task.takes_context:
            arguments = (self, *arguments)
        value = self._call(task, arguments, keywords)
        try:
            return Succeeded(self._home.codec.encode(value, root="result"))
        except InvalidPayload as error:
            return Failed(self._describe(error))

    def _call(self, task: Task[..., Any], arguments: tuple[Any, ...], keywords: dict[str, Any]) -> object:
        if task.timeout is None:
            return task.func(*arguments, **keywords)
        seconds = task.timeout.total_seconds()
        late = TimeoutError(f"task {task.name} ran longer than its timeout of {seconds:g} s")
        with Timeout(seconds, late):
            return task.func(*arguments, **keywords)

    def _throw(self) -> None:
        # In the hub, so that what is tested here still holds when it is thrown.
        if self._greenlet is not None:
            self._greenlet.throw(Stopped())

    def _parked(self, reason: str) -> Released:
        return Released(self._home.clock.now() + PARKED, f"parked: {reason}")

    def _judge(self, error: BaseException) -> Outcome:
        """What becomes of a job whose function raised this."""
        now = self._home.clock.now()
        if isinstance(error, Stopped) and self._stop is not None:
            return self._stop
        if _interrupt.has_come(error):
            _interrupt.pass_on(error)
            return Released(now)
        return self._verdict(error, now)

    def _verdict(self, error: BaseException, now: int) -> Outcome:
        task = self.task
        match error:
            case Cancel():
                return Cancelled(storable(str(error)))
            case Snooze(after=after):
                return Released(now + as_span(after))
            case Retry(after=after) if after is not None:
                return Retried(now + as_span(after), self._describe(error))
        described = self._describe(error)
        if task is not None and isinstance(error, (Retry, *task.retry_on)):
            return Retried(now + as_span(task.backoff.wait(self.job.attempt)), described)
        return Failed(described)

    def _describe(self, error: BaseException) -> TaskError:
        kind = type(error)
        try:
            message = str(error)
        except Exception:
            message = f"<{kind.__qualname__} whose str() raises>"
        return TaskError(
            attempt=self.job.attempt,
            exception_class_path=f"{kind.__module__}.{kind.__qualname__}",
            message=storable(message),
            traceback=storable("".join(traceback.format_exception(kind, error, _own_part(error))), 20_000),
            at=self._home.clock.now(),
        )


def _own_part(error: BaseException) -> TracebackType | None:
    """The traceback from the task's own function on, without the frames that led to it."""
    part = error.__traceback__
    while part is not None and part.tb_frame.f_globals.get("__name__") == __name__:
        part = part.tb_next
    return part


def storable(text: str, most: int = 1000) -> str:
    """Bounded, and free of lone surrogates: the start and the end tell most."""
    text = text.encode("utf-8", "backslashreplace").decode()
    if len(text) <= most:
        return text
    return f"{text[: most // 2]}\n[... {len(text) - most} characters left out ...]\n{text[-most // 2 :]}"
