"""The janitor: rescues the jobs of workers that are no more, and prunes what finished long ago."""

from __future__ import annotations

import logging
from collections.abc import Callable
from math import inf

from greenroom._service import Service
from greenroom.clock import SECOND, Clock
from greenroom.errors import LeaseLost
from greenroom.job import CRASHED, Job, Status
from greenroom.outcome import Crashed, Outcome, Retried, TaskError
from greenroom.stores.base import Fate, Lost, Store

log = logging.getLogger("greenroom")

EVERY = 15.0
BATCH = 500  # rows a turn: a commit of this size delays nobody's enqueue
_JUMP = 2.0  # seconds that wall time may gain on monotonic time, or lose, before it is taken for a jump

# What each fate is in an error: its class path, and what it says.
FATES = {
    Fate.DEAD: (CRASHED, "the process of worker {worker} died while it ran this"),
    Fate.STALLED: (
        "greenroom.Stalled",
        "worker {worker} stalled while it ran this: its process lives, but renewed its lease no longer",
    ),
    Fate.LEFT: ("greenroom.Left", "worker {worker} closed its store while it ran this"),
}


class Janitor:
    """Looks after one store. `retention` is in microseconds; `max_crashes` is asked by the name of a task.

    `rescued` is told of each job given a new chance, or its last.
    """

    def __init__(
        self,
        store: Store,
        *,
        clock: Clock,
        retention: int,
        max_crashes: Callable[[str], int],
        rescued: Callable[[Job], None],
    ) -> None:
        self.service = Service(f"janitor of {store.url}", self._turn)
        self._store = store
        self._clock = clock
        self._retention = retention
        self._max_crashes = max_crashes
        self._rescued = rescued
        self._watch = Watch(clock)

    def _turn(self) -> float:
        now = self._clock.now()
        try:
            rescued = self._rescue(self._store.expired(now, BATCH), now)
            pruned = self._store.prune(now - self._retention, BATCH)
        except LeaseLost:  # the runner will say so; what there is to do is there still
            return 0.0
        return 0.05 if rescued or pruned == BATCH else EVERY  # who has no jobs left is forgotten with the next look

    def _rescue(self, expired: list[Lost], now: int) -> int:
        is_sure = self._watch.seconds() >= self._store.lease / SECOND
        lost = [it for it in expired if it.fate is not Fate.STALLED or is_sure]
        changes = [(job, job.after(self._outcome(job, fate, now), now)) for job, fate in lost]
        for (job, new), (_, fate), is_ours in zip(changes, lost, self._store.swap_all(changes), strict=True):
            if is_ours:
                log.warning("%s", _told(job, new, fate))
                self._rescued(new)
        return len(lost)

    def _outcome(self, job: Job, fate: Fate, now: int) -> Outcome:
        kind, message = FATES[fate]
        error = TaskError(job.attempt, kind, message.format(worker=job.worker), traceback="", at=now)
        # Only a death may be the job's own doing: whoever stalled, or left, may still be running it.
        return Crashed(error, self._max_crashes(job.task)) if fate is Fate.DEAD else Retried(now, error)


class Watch:
    """For how long time has gone by as it should.

    Others are not to be called stalled because the machine slept, or its clock was set, while nobody could renew.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._since = inf
        self._seen = -inf  # how far wall time is ahead of monotonic time

    def seconds(self) -> float:
        """Since the first look, or since the look that found time to have jumped."""
        now = self._clock.monotonic()
        ahead = self._clock.now() / SECOND - now
        if abs(ahead - self._seen) > _JUMP:
            self._since = now
        self._seen = ahead
        return now - self._since


def _told(job: Job, new: Job, fate: Fate) -> str:
    crashes = f", crash {new.crashes}" if fate is Fate.DEAD else ""
    what = f"job {job.id} (task {job.task}): rescued from worker {job.worker}, which is {fate}{crashes}: {new.status}"
    if not new.is_finished:
        return what
    return f"{what}: {new.errors[-1].message if new.status is Status.FAILED else new.note}"
