"""A side of the room: one store, with the codec, the runner and the janitor that belong to it.

A room has two, the durable one and the volatile one, which differ in nothing but where jobs live and how their
arguments are kept.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from gevent.event import Event

from greenroom import signals
from greenroom._as_is import CallCodec
from greenroom._janitor import Janitor
from greenroom._runner import Runner
from greenroom.clock import Clock
from greenroom.errors import UnknownResult
from greenroom.job import Job, Status
from greenroom.lanes import Lane
from greenroom.result import TaskResult
from greenroom.stores import Store

_LOOK_AGAIN = 1.0  # seconds between looks at a job that may be running in another process


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
        sender: object,
    ) -> None:
        self.store = store
        self.prefix = prefix
        self.codec = codec
        self._sender = sender
        self._waits: dict[int, Event] = {}
        self.runner = Runner(
            store,
            lanes=lanes,
            codec=codec,
            clock=clock,
            find_task=find_task,
            started=self._started,
            settled=self._settled,
        )
        self.janitor = Janitor(store, clock=clock, retention=retention, rescued=self._rescued)

    def start(self) -> None:
        self.runner.start()
        self.janitor.service.start()

    def add(self, jobs: list[Job]) -> list[TaskResult[Any]]:
        """Store the jobs and see that they run; returns when they are stored."""
        self.runner.add(jobs)
        results: list[TaskResult[Any]] = [TaskResult(self, job) for job in jobs]
        if signals.task_enqueued.receivers:
            for result in results:
                signals.emit(signals.task_enqueued, self._sender, result=result)
        return results

    def get(self, job_id: int) -> Job:
        """The job as it is now, with the progress of what runs here. Raises UnknownResult."""
        job = self.store.get(job_id)
        if job is None:
            raise UnknownResult(f"no job {self.prefix}{job_id} is stored: it was pruned, or never was.")
        attempt = self.runner.attempts.get(job_id)
        if attempt is not None and attempt.progress_made is not None and not job.is_finished:
            return job._replace(progress=attempt.progress_made)
        return job

    def wait_for(self, job_id: int, timeout: float | None) -> Job:
        """The job once it has finished, or as it is after `timeout` seconds."""
        event = self._waits.setdefault(job_id, Event())
        while True:
            job = self.get(job_id)
            if job.is_finished or (timeout is not None and timeout <= 0):
                self._waits.pop(job_id, None)
                return job
            step = _LOOK_AGAIN if timeout is None else min(_LOOK_AGAIN, timeout)
            if not event.wait(step) and timeout is not None:
                timeout -= step

    def cancel(self, job_id: int, reason: str) -> bool:
        """Call a job off; False if it has finished, or runs in another process."""
        return self.runner.cancel(self.get(job_id), reason)

    def _started(self, job: Job) -> None:
        if signals.task_started.receivers:
            signals.emit(signals.task_started, self._sender, result=TaskResult(self, job))

    def _settled(self, job: Job) -> None:
        if job.is_finished:
            event = self._waits.pop(job.id, None)
            if event is not None:
                event.set()
            if signals.task_finished.receivers:
                signals.emit(signals.task_finished, self._sender, result=TaskResult(self, job))
        elif job.errors and signals.task_retried.receivers:
            signals.emit(signals.task_retried, self._sender, result=TaskResult(self, job))

    def _rescued(self, job: Job) -> None:
        self._settled(job)
        if job.status is Status.READY:
            self.runner.wake()
