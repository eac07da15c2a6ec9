"""An attempt: one run of one job, from the decoded arguments to the outcome.

The only place that catches what a task raises. `BaseException` and not `Exception`: SystemExit in a bare greenlet
ends the web server, and GreenletExit counts as success there and leaves its waiters hanging.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable
from contextvars import Context, ContextVar
from functools import partial
from math import inf
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol

from gevent import getcurrent, spawn

from greenroom import _guard, _interrupt, context, lanes
from greenroom._as_is import CallCodec
from greenroom._ending import GRACE, Ending
from greenroom.clock import SECOND, Clock, as_datetime, as_span
from greenroom.errors import Cancel, InvalidArguments, InvalidOption, InvalidPayload, Retry, ShuttingDown, Snooze
from greenroom.job import Job, Progress
from greenroom.lanes import Carry, Errand
from greenroom.outcome import Cancelled, Failed, Outcome, Released, Retried, Succeeded, TaskError

if TYPE_CHECKING:
    from datetime import datetime

    from greenroom.task import Task

# Until a job that nobody here can run is looked at again: as long as it has existed, within these. A deploy puts the
# code that can run it beside this in a moment; what was renamed for good is to cost next to nothing.
_PARKED_AT_LEAST, _PARKED_AT_MOST = SECOND, 60 * SECOND

_OURS = (__package__, lanes.__name__, f"{__package__}._child")  # the last in children of the process lane

log = logging.getLogger("greenroom")

_told_of: set[str] = set()  # tasks whose jobs are parked

current: ContextVar[Attempt] = ContextVar("greenroom_attempt")


class Stopped(BaseException):
    """Thrown into a task that is to end now. Not an Exception, so that a careless `except` lets it pass."""


class Overdue(Stopped):
    """Thrown into a task that has run for longer than its timeout."""


class Home(Protocol):
    """What an attempt needs of whoever runs it."""

    codec: CallCodec
    clock: Clock
    started: Callable[[Attempt], None]  # told when the task's function is about to be called
    is_stopping: bool  # what runs here is to end soon
    interrupts: bool  # whether tasks that asked for it are interrupted then

    def settle(self, attempt: Attempt) -> None:
        """Record the attempt's outcome."""

    def save(self, attempt: Attempt) -> None:
        """Store the attempt's progress, if it is time to."""

    def lose(self, attempt: Attempt, greenlet: Any) -> None:
        """Take away the slot in which the attempt does not end."""


class Attempt:
    """One run of one job. What a task sees of it is `room.current()`."""

    __slots__ = ("_ending", "_ends_at", "_greenlet", "_home", "job", "outcome", "progress_made", "task", "told")

    _ends_at: int  # known from when the function is called, if it has a timeout

    def __init__(self, job: Job, task: Task[..., Any] | None, home: Home) -> None:
        self.job = job
        self.task = task
        self.outcome: Outcome | None = None
        self.progress_made: Progress | None = None
        self.told: Outcome | None = None  # to end, and with which outcome
        self._home = home
        self._greenlet: Any = None
        self._ending: Ending | None = None

    @property
    def attempt(self) -> int:
        """Which attempt this is, from 1."""
        return self.job.attempt

    @property
    def priority(self) -> int:
        return self.job.priority

    @property
    def slot(self) -> datetime | None:
        """The slot of its schedule that it was enqueued for, in UTC; None if it was enqueued otherwise."""
        occasion = context.occasion_in(self.job.context)
        return None if occasion is None else as_datetime(occasion.slot)

    @property
    def schedule(self) -> str | None:
        """The name of the schedule that it was enqueued by; None if it was enqueued otherwise."""
        occasion = context.occasion_in(self.job.context)
        return None if occasion is None else occasion.schedule

    @property
    def deadline(self) -> datetime | None:
        """When the task's timeout ends it; None without a timeout."""
        if self.task is None or self.task.timeout is None:
            return None
        return as_datetime(self._ends_at)

    @property
    def is_stopping(self) -> bool:
        """Whether the process is to end: what can stop at a good place and go on another time should do so."""
        return self._home.is_stopping

    @property
    def is_interruptible(self) -> bool:
        """Whether it is to be interrupted when the process is to end."""
        return self.task is not None and self.task.on_drain == "interrupt" and self._home.interrupts

    @property
    def saved(self) -> Progress | None:
        """How far earlier attempts came; None if that is not known, or this one has told of progress itself."""
        return self.job.progress if self.progress_made is None else None

    def progress(self, done: float, total: float | None = None, note: str = "") -> None:
        """Say how far the task is: seen at once in this process, and stored about once a second."""
        _check_finite("done", done)
        if total is not None:
            _check_finite("total", total)
        self.progress_made = Progress(done, total, storable(str(note)))
        self._home.save(self)

    def interrupt_if_stopping(self) -> None:
        """Raise ShuttingDown if the process is to end and the task has asked for it. Called by the task itself."""
        if self.is_stopping and self.is_interruptible:
            raise ShuttingDown

    def stop(self, outcome: Outcome) -> None:
        """Have it end with this outcome, when it next waits. That it was cancelled is not taken back."""
        if type(self.told) is not Cancelled:
            self.told = outcome
        greenlet = self._greenlet
        is_its_own_doing = greenlet is getcurrent()  # as when it stops the room: that it has to see through
        if greenlet is not None and (not is_its_own_doing or type(outcome) is Cancelled):
            greenlet.parent.loop.run_callback_threadsafe(self._end)  # the parent of a lane's greenlet is its hub

    def run(self, carry: Carry | None) -> None:
        if self.told is not None:
            self.outcome = self.told
            return
        self._greenlet = getcurrent()
        try:
            outcome = Context().run(self._perform, carry)
        except BaseException as error:
            self._release()  # nothing more is thrown at it
            outcome = self._judge(error)
        self._release()
        if self.outcome is None:  # else it was given up long ago
            self.outcome = outcome

    def is_of(self, stored: Job) -> bool:
        """Whether this is the attempt that the stored job says is under way."""
        return stored.worker == self.job.worker and stored.attempt == self.job.attempt

    def job_after(self, job: Job, now: int) -> Job:
        """What its outcome makes of the job."""
        assert self.outcome is not None, "run() comes first"  # noqa: S101
        if self.progress_made is not None:
            job = job._replace(progress=self.progress_made)
        if type(self.told) is Cancelled and isinstance(self.outcome, Retried | Released):  # it was told too late
            job = job.call_off(self.told.reason)
        return job.after(self.outcome, now)

    def job_given_back(self, now: int) -> Job:
        """The job if the attempt is waited for no longer: what it is still to come to is of no interest."""
        if self.outcome is None:
            self.outcome = self.told or Released(now)
        return self.job_after(self.job, now)

    def fail(self, error: BaseException) -> None:
        """Whatever it came to, it counts as failed with this error."""
        self.progress_made = None
        self.outcome = Failed(self._describe(error))

    def finish(self) -> None:
        self._home.settle(self)

    def __str__(self) -> str:
        return f"task {self.job.task} (job {self.job.id})"

    def _perform(self, carry: Carry | None) -> Outcome:
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
        return self._run(carry, Errand(self, task, arguments, keywords), job.context)

    def _run(self, carry: Carry | None, errand: Errand, carried: str | None) -> Outcome:
        if carried is not None:
            context.restore(carried)
        current.set(self)
        self._home.started(self)
        value = self._call(carry or Errand.do, errand)
        try:
            return Succeeded(self._home.codec.encode(value, root="result"))
        except InvalidPayload as error:
            return self._failed(error)

    def _call(self, carry: Carry, errand: Errand) -> object:
        task = errand.task
        if task.timeout is None:
            return carry(errand)
        self._ends_at = self._home.clock.now() + as_span(task.timeout)
        seconds = task.timeout.total_seconds()
        text = f"task {task.name} ran longer than its timeout of {seconds:g} s"
        self._ending = Ending(self._greenlet, seconds, partial(Overdue, text), partial(self._give_up, text))
        try:
            return carry(errand)
        finally:
            self._end_ending()

    def _end(self) -> None:
        if self._greenlet is not None and not (self._ending is not None and self._ending.has_begun):
            self._end_ending()
            self._ending = Ending(self._greenlet, GRACE, Stopped, partial(self._give_up, "it was told to end"))
            self._ending.tell()

    def _release(self) -> None:
        self._greenlet = None
        self._end_ending()

    def _end_ending(self) -> None:
        if self._ending is not None:
            self._ending.close()
            self._ending = None

    def _give_up(self, why: str) -> None:
        """It does not end: it counts as ended, and what it still does or comes to is of no interest."""
        greenlet, self._greenlet, self._ending = self._greenlet, None, None
        stack = "".join(traceback.format_stack(greenlet.gr_frame)) if greenlet.gr_frame else "  (not known)\n"
        error = TimeoutError(f"{why}, and did not end when it was told to")
        self.outcome = self.told or Failed(self._describe(error))
        self._home.lose(self, greenlet)
        told = "%s does not end (%s): it is stuck, and its slot is given to others. It is here:\n%s"
        spawn(log.error, told, self, why, stack)  # the hub, which calls this, cannot wait for the log's lock

    def _parked(self, reason: str) -> Released:
        now = self._home.clock.now()
        # Each time longer, but not by much: an older process parks again what a newer one is about to run.
        age = now - self.job.enqueued_at
        if self.job.task not in _told_of:  # once, and not at each look at each of them
            _told_of.add(self.job.task)
            log.warning("%s is parked, as others of that task will be, until a process can run it: %s", self, reason)
        wait = min(max(age // 4, _PARKED_AT_LEAST), _PARKED_AT_MOST)
        return Released(now + wait, f"parked: {reason}")

    def _judge(self, error: BaseException) -> Outcome:
        """What becomes of a job whose function raised this."""
        now = self._home.clock.now()
        if _interrupt.has_come(error):
            _interrupt.pass_on(error)
            return self.told or Released(now)
        if self.told is not None:  # whatever it raised when it was told to end
            return self.told
        try:
            return self._verdict(error, now)
        except Exception as worse:  # of a backoff, or a logging handler, of the app's own: a slot must not be lost
            return Failed(self._describe(worse))

    def _verdict(self, error: BaseException, now: int) -> Outcome:
        match error:
            case ShuttingDown() if self.is_stopping and self._home.interrupts:
                return Released(now)
            case Cancel():
                return Cancelled(storable(text_of(error)))
            case Snooze(after=after):
                return Released(now + as_span(after))
            case Retry(after=after) if after is not None:
                return self._retried(error, now + as_span(after))
            case Overdue():
                error = TimeoutError(str(error)).with_traceback(error.__traceback__)
        task = self.task
        if task is not None and isinstance(error, (Retry, *task.retry_on)):
            return self._retried(error, now + as_span(task.backoff.wait(self.attempt)))
        return self._failed(error)

    def _retried(self, error: BaseException, run_after: int) -> Outcome:
        described = self._describe(error)
        if self.job.attempt < self.job.max_attempts:
            kind, message = described.exception_class_path, described.message
            log.warning("%s went wrong in attempt %s, and is tried again: %s: %s", self, self.attempt, kind, message)
        else:
            self._log_failure(error)
        return Retried(run_after, described)

    def _failed(self, error: BaseException) -> Failed:
        self._log_failure(error)
        return Failed(self._describe(error))

    def _log_failure(self, error: BaseException) -> None:
        log.error("%s failed", self, exc_info=(type(error), error, _own_part(error)))

    def _describe(self, error: BaseException) -> TaskError:
        kind = type(error)
        return TaskError(
            attempt=self.attempt,
            exception_class_path=f"{kind.__module__}.{kind.__qualname__}",
            message=storable(text_of(error)),
            traceback=storable(trace_of(error), 20_000),
            at=self._home.clock.now(),
        )


def _check_finite(kind: str, number: object) -> None:
    # Compared, because isfinite() of a very great int raises.
    if not isinstance(number, int | float) or not -inf < number < inf:
        raise InvalidOption(f"progress {kind}={number!r} is not a finite number.")


def text_of(error: BaseException) -> str:
    try:
        return str(error)
    except BaseException:
        return f"<{type(error).__qualname__} whose str() raises>"


def trace_of(error: BaseException) -> str:
    try:
        return "".join(traceback.format_exception(type(error), error, _own_part(error)))
    except BaseException:
        return f"<{type(error).__qualname__} whose traceback cannot be shown>"


def _own_part(error: BaseException) -> TracebackType | None:
    """The traceback without our frames that led to the task's own function, or put it aside in the middle of it."""
    first = error.__traceback__
    while first is not None and first.tb_frame.f_globals.get("__package__") in _OURS:
        first = first.tb_next
    own: list[TracebackType] = []
    part = first
    while part is not None and part.tb_frame.f_globals.get("__name__") != _guard.__name__:
        own.append(part)
        part = part.tb_next
    if part is None:
        return first
    whole = None
    for part in reversed(own):
        whole = TracebackType(whole, part.tb_frame, part.tb_lasti, part.tb_lineno)
    return whole


def storable(text: str, most: int = 1000) -> str:
    """Bounded, and free of lone surrogates: the start and the end tell most."""
    text = text.encode("utf-8", "backslashreplace").decode()
    if len(text) <= most:
        return text
    return f"{text[: most // 2]}\n[... {len(text) - most} characters left out ...]\n{text[-most // 2 :]}"
