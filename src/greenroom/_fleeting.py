"""Fleeting jobs: volatile ones that are due at once run without being stored, at a quarter of the cost.

Such a job is not even made until somebody asks for it: for its id, its status, or a signal's receiver. It comes
into the volatile store only when it has to wait there, to be tried again later.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar, cast

from greenroom import _check, context, signals
from greenroom._as_is import CallCodec
from greenroom._attempt import Attempt
from greenroom._native import allocate_lock
from greenroom.clock import Clock
from greenroom.errors import StoreError
from greenroom.job import Job
from greenroom.lanes import Carry, Errand, Lane
from greenroom.outcome import Cancelled, Failed, Outcome, Retried, Succeeded
from greenroom.result import Side, TaskResult

if TYPE_CHECKING:
    from greenroom.task import Task

T = TypeVar("T")
log = logging.getLogger("greenroom")

_one_at_a_time = allocate_lock()  # of those who make a job, in whatever thread: it has one id

KEEP = 10_000  # finished ones that are remembered, of those that were asked for


class FleetingAttempt(Attempt):
    """The first attempt of a job that is nowhere else."""

    __slots__ = ("_args", "_context", "_enqueued_at", "_finished_at", "_kwargs", "_made")

    _home: Fleeting
    task: Task[..., Any]

    def __init__(self, task: Task[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], home: Fleeting) -> None:
        self.task = task
        self.outcome = None
        self.progress_made = None
        self.told = None
        self._home = home
        self._greenlet = None
        self._ending = None
        self._args = args
        self._kwargs = kwargs
        self._context = context.capture()
        self._enqueued_at = home.clock.now()
        self._finished_at = 0
        self._made: Job | None = None

    @property
    def job(self) -> Job:  # type: ignore[override]
        """The job as it is now; made when it is first asked for."""
        if self._made is None:
            with _one_at_a_time:
                if self._made is None:
                    self._made = self._home.make(self, self._args, self._kwargs, self._enqueued_at, self._context)
        if self._finished_at and not self._made.is_finished:
            self._made = self.job_after(self._made, self._finished_at)
        elif self.progress_made is not None and not self._finished_at:
            self._made = self._made._replace(progress=self.progress_made)
        return self._made

    @property
    def is_made(self) -> bool:
        return self._made is not None

    @property
    def is_final(self) -> bool:
        """Whether it has ended for good."""
        return self._finished_at != 0

    @property
    def attempt(self) -> int:
        return 1

    @property
    def priority(self) -> int:
        return self.task.priority

    def end(self, now: int) -> None:
        """From now on its outcome is what the job has come to."""
        self._finished_at = now

    def abandon(self) -> None:
        """It will not be run: whoever waits for it is told."""
        self.outcome = Cancelled("the room stopped before it began")
        self._home.settle(self)

    def __str__(self) -> str:
        return super().__str__() if self.is_made else f"task {self.task.name} (volatile)"

    def _perform(self, carry: Carry | None) -> Outcome:
        # The arguments were checked when it was made, a moment ago, and are the objects themselves.
        return self._run(carry, Errand(self, self.task, self._args, self._kwargs), self._context)


class FleetingResult(TaskResult[T]):
    """A result that needs no job to be waited for, and to say what was returned."""

    __slots__ = ("_attempt", "_stored")

    def __init__(self, side: Side, attempt: FleetingAttempt) -> None:
        self._side = side
        self._attempt: FleetingAttempt | None = attempt  # None once the job lives in the store
        self._stored: Job | None = None

    @property
    def _job(self) -> Job:
        return self._stored or cast("FleetingAttempt", self._attempt).job

    @_job.setter
    def _job(self, job: Job) -> None:
        self._stored = job

    @property
    def return_value(self) -> T:
        if self._attempt is not None and type(self._attempt.outcome) is Succeeded:
            return cast("T", self._attempt.outcome.value)
        return super().return_value

    def wait(self, timeout: float | None = None) -> TaskResult[T]:
        _check.patience("timeout", timeout)
        if self._attempt is not None and self._attempt.is_final:
            self._stored = None  # what it was when it was last looked at
            return self
        return super().wait(timeout)

    def retry(self) -> bool:
        is_again = super().retry()
        if is_again:
            self._attempt = None
        return is_again


class Fleeting:
    """Runs them. `make` makes a job that runs already; `put_off` is given one that is to be tried again."""

    interrupts = False  # what is stored nowhere could not go on elsewhere

    def __init__(
        self,
        *,
        lanes: Mapping[str, Lane],
        codec: CallCodec,
        clock: Clock,
        make: Callable[..., Job],
        started: Callable[[Attempt], None],
        settled: Callable[[Job], None],
        put_off: Callable[[Job], None],
    ) -> None:
        self.codec = codec
        self.clock = clock
        self.started = started
        self.is_stopping = False
        self._lanes = lanes
        self._make = make
        self._settled = settled
        self._put_off = put_off
        self._asked_for: dict[int, FleetingAttempt] = {}
        self._finished: deque[int] = deque()

    def run(self, task: Task[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> FleetingAttempt:
        """Run the task when its lane has a slot."""
        attempt = FleetingAttempt(task, args, kwargs, self)
        self._lanes[task.lane].call(attempt)
        return attempt

    def make(self, attempt: FleetingAttempt, *parts: Any) -> Job:
        """Make an attempt's job, by whose id it can be found from now on."""
        job = self._make(attempt.task, *parts)
        self._asked_for[job.id] = attempt
        if attempt.is_final:
            self._remember(job.id)
        return job

    def forget(self, job_id: int) -> None:
        """The job lives elsewhere from now on."""
        self._asked_for.pop(job_id, None)

    def find(self, job_id: int) -> FleetingAttempt | None:
        """The attempt of that job, if it is one of these."""
        return self._asked_for.get(job_id)

    def settle(self, attempt: Attempt) -> None:
        attempt = cast("FleetingAttempt", attempt)
        now = self.clock.now()
        if type(attempt.outcome) in (Succeeded, Failed, Cancelled) or attempt.job_after(attempt.job, now).is_finished:
            attempt.end(now)
            if attempt.is_made:
                self._remember(attempt.job.id)
            if attempt.is_made or signals.task_finished.receivers:
                self._settled(attempt.job)
        else:
            job = attempt.job_after(attempt.job, now)
            del self._asked_for[job.id]
            self._try_again(attempt, job)

    def _try_again(self, attempt: Attempt, job: Job) -> None:
        try:
            self._put_off(job)
        except StoreError as error:  # the room has stopped meanwhile
            log.warning("volatile job %s of %s was to be tried again, and is lost: %s", job.id, job.task, error)
        if type(attempt.outcome) is Retried:
            self._settled(job)

    def lose(self, attempt: Attempt, greenlet: Any) -> None:
        attempt = cast("FleetingAttempt", attempt)
        self._lanes[attempt.task.lane].lose(attempt, greenlet, is_call=True)

    def save(self, attempt: Attempt) -> None:
        """Progress is seen on the attempt itself."""

    def _remember(self, job_id: int) -> None:
        self._finished.append(job_id)
        if len(self._finished) > KEEP:
            self.forget(self._finished.popleft())
