"""The recorder: has the outcomes of attempts stored, together with those of others that end meanwhile."""

from __future__ import annotations

import logging
from collections.abc import Callable

from greenroom._attempt import Attempt
from greenroom._service import Service
from greenroom.clock import Clock
from greenroom.errors import LeaseLost, StoreError, StoreUnavailable
from greenroom.job import Job
from greenroom.stores.base import Store

log = logging.getLogger("greenroom")


class Recorder:
    """Records what attempts came to.

    `recorded` is told of each whose outcome is stored, and of what its job has become; `dropped` of each whose
    outcome nobody wants any more, because others have its job.
    """

    def __init__(
        self,
        store: Store,
        *,
        clock: Clock,
        recorded: Callable[[Attempt, Job], None],
        dropped: Callable[[Attempt], None],
    ) -> None:
        self.service = Service(f"recorder of {store.url}", self.record)
        self._store = store
        self._clock = clock
        self._recorded = recorded
        self._dropped = dropped
        self.ended: list[Attempt] = []  # and not yet recorded

    def settle(self, attempt: Attempt) -> None:
        """Have the attempt's outcome recorded, soon."""
        self.ended.append(attempt)
        if len(self.ended) == 1:
            self.service.wake()

    def record(self) -> float | None:
        """Store the outcomes of what has ended: in one commit, as many as have gathered during the last."""
        while self.ended:
            ended, self.ended = self.ended, []
            self._record_all(ended)
        return None

    def _record_all(self, ended: list[Attempt]) -> None:
        now = self._clock.now()
        changes = [(attempt.job, attempt.job_after(attempt.job, now)) for attempt in ended]
        try:
            swapped = self._store.swap_all(changes)
        except LeaseLost as error:
            self._drop(ended, f"{error}")
        except StoreUnavailable:
            self.ended = ended + self.ended
            raise
        except StoreError as error:
            self._sift(ended, error)
        else:
            for attempt, (_, new), is_swapped in zip(ended, changes, swapped, strict=True):
                if is_swapped:
                    self._recorded(attempt, new)
                else:
                    self._reconsider(attempt)

    def _sift(self, ended: list[Attempt], error: StoreError) -> None:
        """One of these outcomes cannot be stored, and must not keep the others from it."""
        if len(ended) > 1:
            half = len(ended) // 2
            try:
                self._record_all(ended[:half])
            finally:
                self._record_all(ended[half:])
            return
        (attempt,) = ended
        log.error("%s has an outcome that cannot be stored, and counts as failed: %s", attempt, error)
        attempt.fail(error)
        self.ended.append(attempt)

    def _reconsider(self, attempt: Attempt) -> None:
        """The job was changed meanwhile: by us, and its outcome still counts, or by another worker."""
        stored = self._store.get(attempt.job.id)
        if stored is None or not attempt.is_of(stored):
            self._drop([attempt], "it was given to another worker meanwhile")
        else:
            attempt.job = stored
            self.ended.append(attempt)

    def _drop(self, attempts: list[Attempt], reason: str) -> None:
        for attempt in attempts:
            log.warning("%s is fenced off, and its outcome dropped: %s", attempt, reason)
            self._dropped(attempt)
