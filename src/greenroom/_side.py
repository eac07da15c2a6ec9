"""A side of the room: one store, with the codec, the runner and the janitor that belong to it.

A room has two, the durable one and the volatile one, which differ in nothing but where jobs live and how their
arguments are kept.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from math import inf
from typing import Any, cast

from gevent.event import Event

from greenroom import signals
from greenroom._as_is import CallCodec
from greenroom._attempt import Attempt, storable
from greenroom._fleeting import Fleeting, FleetingResult
from greenroom._ids import Ids
from greenroom._janitor import Janitor
from greenroom._native import allocate_lock
from greenroom._runner import Runner
from greenroom._service import Service
from greenroom.clock import Clock, SystemClock, moment_of
from greenroom.context import capture
from greenroom.errors import UnknownResult
from greenroom.job import Job, Status
from greenroom.lanes import Lane
from greenroom.outcome import Cancelled
from greenroom.result import TaskResult
from greenroom.stores import Store
from greenroom.stores.base import News
from greenroom.task import Task

_LOOK_AGAIN = 30.0  # seconds: the safety net of those who wait for a job that runs in another process

log = logging.getLogger("greenroom")

_one_at_a_time = allocate_lock()  # of those who begin or end to wait, in whatever thread


class _Wait:
    """Somebody waits for a job to finish, and is handed the job."""

    def __init__(self) -> None:
        self.job: Job | None = None
        self.event = Event()


class Side:
    """Adds jobs, runs them, and tells those who wait for them. `prefix` marks its ids as people see them."""

    def __init__(
        self,
        store: Store,
        *,
        prefix: str,
        codec: CallCodec,
        lanes: Mapping[str, Lane],
        clock: Clock,
        retention: int,
        find_task: Callable[[str], Any],
        max_crashes: int,
        sender: object,
    ) -> None:
        self.store = store
        self.prefix = prefix
        self.codec = codec
        self._clock = clock
        self._find_task = find_task
        self._max_crashes = max_crashes
        self._sender = sender
        self._ids = Ids(0)
        self._timer = SystemClock()  # who waits takes real time, whatever clock the jobs go by
        self._waits: dict[int, list[_Wait]] = {}  # by job, of each who waits for it
        self.runner = Runner(
            store,
            lanes=lanes,
            codec=codec,
            clock=clock,
            find_task=find_task,
            started=self._started,
            settled=self._settled,
        )
        self.janitor = Janitor(
            store, clock=clock, retention=retention, max_crashes=self._crashes_of, rescued=self._rescued
        )
        self.rescheduled: Callable[[], None] = lambda: None  # told when another worker has changed a schedule
        store.listen(self._heard)

    @property
    def services(self) -> tuple[Service, ...]:
        return self.runner.service, self.runner.recorder.service, self.runner.heed.service, self.janitor.service

    @property
    def is_running(self) -> bool:
        return self.runner.is_running

    def start(self) -> None:
        self.runner.start()
        self.janitor.service.start()

    def open(self) -> None:
        """Open the store, as a worker of it. Twice is once."""
        self.store.open()
        if self._ids.worker != self.store.worker:
            self._ids = Ids(self.store.worker)

    def drain(self) -> None:
        """Let what runs know that it is to end soon."""
        self.runner.is_stopping = True

    def forsake(self) -> None:
        """This is a forked child: all that goes on here is the parent's."""
        for service in self.services:
            service.forsake()
        self.store.forsake()

    def enqueue(self, task: Task[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> TaskResult[Any]:
        """Make a job, store it and see that it runs; returns when it is stored."""
        job = self.make(task, args, kwargs)
        self.runner.add_one(job)
        return self.enqueued(job)

    def new_id(self) -> int:
        """An id for a job, greater than those before it."""
        return self._ids.make(self._clock.now())

    def make(self, task: Task[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Job:
        """A job that is nowhere yet. Raises InvalidArguments or InvalidPayload."""
        task.check(args, kwargs)
        return self._new_job(task, args, kwargs, self._clock.now(), capture())

    def enqueued(self, job: Job) -> TaskResult[Any]:
        """Tell that the job is stored; the result is for whoever enqueued it."""
        result: TaskResult[Any] = TaskResult(self, job)
        if signals.task_enqueued.receivers:
            signals.emit(signals.task_enqueued, self._sender, result=result)
        return result

    def get(self, job_id: int) -> Job:
        """The job as it is now, with the progress of what runs here. Raises UnknownResult."""
        job = self.store.get(job_id)
        if job is None:
            raise UnknownResult(f"no job {self.prefix}{job_id} is stored: it was pruned, or never was.")
        return self._lately(job)

    def find(self, **wanted: Any) -> list[Job]:
        """What `Store.find` finds, with the progress of what runs here."""
        return [self._lately(job) for job in self.store.find(**wanted).jobs]

    def wait_for(self, job_id: int, timeout: float | None) -> Job:
        """The job once it has finished, or as it is after `timeout` seconds."""
        wait = _Wait()  # each has its own: one who gives up must not keep the others from being woken
        ends = inf if timeout is None else self._timer.monotonic() + timeout
        with _one_at_a_time:
            waits = self._waits.setdefault(job_id, [])
            waits.append(wait)
        try:
            while wait.job is None:
                wait.event.clear()
                left = ends - self._timer.monotonic()
                if left <= 0 or job_id not in self.runner.attempts:  # what runs here is not looked at, but heard of
                    job = self.get(job_id)
                    if left <= 0 or job.is_finished:
                        return job
                wait.event.wait(min(_LOOK_AGAIN, left))
            return wait.job
        finally:
            with _one_at_a_time:
                waits.remove(wait)
                if not waits:
                    del self._waits[job_id]

    def cancel(self, job_id: int, reason: str) -> bool:
        """Call a job off; False if it has finished."""
        return self.runner.cancel(self.get(job_id), storable(reason))

    def retry(self, job_id: int) -> Job | None:
        """Make a finished job ready once more; None if it has not finished."""
        job = self.get(job_id)
        if not job.is_finished:
            return None
        return self.runner.again(job)

    def _lately(self, job: Job) -> Job:
        attempt = self.runner.attempts.get(job.id)
        if attempt is not None and attempt.progress_made is not None and not job.is_finished:
            return job._replace(progress=attempt.progress_made)
        return job

    def _new_job(
        self,
        task: Task[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        now: int,
        context: str | None,
    ) -> Job:
        return Job(
            self._ids.make(now),
            task.name,
            self.codec.encode_call(args, kwargs),
            task.queue_name,
            task.lane,
            task.priority,
            task.max_attempts,
            now if task.run_after is None else cast("int", moment_of(task.run_after, now)),
            None if task.expires is None else moment_of(task.expires, now),
            now,
            context,
        )

    def _started(self, attempt: Attempt) -> None:
        if signals.task_started.receivers:
            signals.emit(signals.task_started, self._sender, result=TaskResult(self, attempt.job))

    def _settled(self, job: Job) -> None:
        """Tell of a job that has finished, or is to be retried."""
        if job.is_finished:
            for wait in list(self._waits.get(job.id, ())):
                wait.job = job
                wait.event.set()
            if signals.task_finished.receivers:
                signals.emit(signals.task_finished, self._sender, result=TaskResult(self, job))
        elif signals.task_retried.receivers:
            signals.emit(signals.task_retried, self._sender, result=TaskResult(self, job))

    def _heard(self, news: News) -> None:
        """What other workers of the store have done. Called in the event loop: waits for nothing."""
        self.runner.heard(news)
        with _one_at_a_time:
            awaited = self._waits.keys() if news.changed is None else news.changed & self._waits.keys()
            waits = [wait for job_id in awaited for wait in self._waits[job_id]]
        for wait in waits:
            wait.event.set()
        if news.has_left:
            self.janitor.service.wake()
        if news.is_rescheduled:
            self.rescheduled()

    def _crashes_of(self, name: str) -> int:
        task = self._find_task(name)
        return self._max_crashes if task is None else task.max_crashes

    def _rescued(self, job: Job) -> None:
        self._settled(job)
        if job.status is Status.READY:
            self.runner.wake()


class VolatileSide(Side):
    """The side whose jobs end with the process. What is due at once is not even stored in memory."""

    def __init__(self, store: Store, *, lanes: Mapping[str, Lane], **shared: Any) -> None:
        super().__init__(store, lanes=lanes, **shared)
        self.fleeting = Fleeting(
            lanes=lanes,
            codec=self.codec,
            clock=self._clock,
            make=self._make_running,
            started=self._started,
            settled=self._settled,
            put_off=lambda job: self.runner.add([job]),
        )
        self.runner.interrupts = self.fleeting.interrupts
        self._has_warned = False

    def drain(self) -> None:
        super().drain()
        self.fleeting.is_stopping = True

    def enqueue(self, task: Task[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> TaskResult[Any]:
        waits = task.run_after is not None or task.expires is not None or task.priority
        if waits or not self.runner.is_beginning:
            return super().enqueue(task, args, kwargs)
        task.check(args, kwargs)
        attempt = self.fleeting.run(task, args, kwargs)
        if signals.task_enqueued.receivers:
            self.enqueued(attempt.job)
        return FleetingResult(self, attempt)

    def enqueued(self, job: Job) -> TaskResult[Any]:
        if not self.is_running and not self.runner.is_stopping and not self._has_warned:
            self._has_warned = True
            # Nobody else can run it, so that to forget room.start() would lose it without a word.
            log.warning(
                "volatile job %s%s of %s waits in memory, for the room is not started: it runs once room.start() is "
                "called in this process, and else is lost with it, as are those after it. Call room.start() "
                "(docs/where-it-starts.md says where it does nothing), or declare the task durable.",
                self.prefix,
                job.id,
                job.task,
            )
        return super().enqueued(job)

    def get(self, job_id: int) -> Job:
        attempt = self.fleeting.find(job_id)
        return super().get(job_id) if attempt is None else attempt.job

    def cancel(self, job_id: int, reason: str) -> bool:
        attempt = self.fleeting.find(job_id)
        if attempt is None:
            return super().cancel(job_id, reason)
        if attempt.is_final:
            return False
        attempt.stop(Cancelled(storable(reason)))
        return True

    def retry(self, job_id: int) -> Job | None:
        attempt = self.fleeting.find(job_id)
        if attempt is None:
            return super().retry(job_id)
        if not attempt.is_final:
            return None
        job = attempt.job.again(self._clock.now())
        self.fleeting.forget(job_id)
        self.runner.add([job])
        return job

    def _make_running(self, *parts: Any) -> Job:
        job = self._new_job(*parts)
        return job.claimed(self.store.worker, job.enqueued_at)
