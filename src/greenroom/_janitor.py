"""The janitor: rescues the jobs of dead workers, and prunes what finished long ago."""

from __future__ import annotations

import logging
from collections.abc import Callable

from greenroom._service import Service
from greenroom.clock import Clock
from greenroom.job import Job
from greenroom.outcome import Retried, TaskError
from greenroom.stores.base import Store

log = logging.getLogger("greenroom")

EVERY = 15.0
BATCH = 500  # rows a turn: a commit of this size delays nobody's enqueue


class Janitor:
    """Looks after one store. `retention` is in microseconds; `rescued` is told of each job given a new chance."""

    def __init__(self, store: Store, *, clock: Clock, retention: int, rescued: Callable[[Job], None]) -> None:
        self.service = Service(f"janitor of {store.url}", self._turn)
        self._store = store
        self._clock = clock
        self._retention = retention
        self._rescued = rescued

    def _turn(self) -> float:
        now = self._clock.now()
        expired = self._store.expired(now, BATCH)
        for job in expired:
            self._rescue(job, now)
        pruned = self._store.prune(now - self._retention, BATCH)
        return 0.05 if len(expired) == BATCH or pruned == BATCH else EVERY

    def _rescue(self, job: Job, now: int) -> None:
        error = TaskError(
            attempt=job.attempt,
            exception_class_path="greenroom.Crashed",
            message=f"worker {job.worker} ended, or was frozen, while it ran this",
            traceback="",
            at=now,
        )
        new = job.after(Retried(now, error), now)
        if self._store.swap(job, new):
            log.warning("job %s (task %s): rescued from worker %s: %s", job.id, job.task, job.worker, new.status)
            self._rescued(new)
