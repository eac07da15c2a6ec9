"""Heed: what other workers have called off is ended here.

They may call off what is only just being begun, and say so before this worker itself knows that it runs it. So what
they tell of is looked at twice: at once, and again a second later.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

from greenroom._attempt import Attempt
from greenroom._service import Service
from greenroom.clock import SystemClock
from greenroom.errors import StoreError
from greenroom.outcome import Cancelled
from greenroom.stores.base import News, Store

_AGAIN = 1.0  # seconds
_ANY = 0  # stands for every job: no job has that id


class Heed:
    """Looks after the `attempts` that are under way, by the ids of their jobs."""

    def __init__(self, store: Store, attempts: Mapping[int, Attempt]) -> None:
        self.service = Service(f"heed of {store.url}", self._turn)
        self._store = store
        self._attempts = attempts
        self._timer = SystemClock()
        self._fresh: set[int] = set()  # the jobs that others have told of
        self._again: deque[tuple[float, set[int]]] = deque()  # and those to be looked at once more, and when

    def hear(self, news: News) -> None:
        """Look after what has changed, soon."""
        if news.changed is None:
            self._fresh.add(_ANY)
        else:
            self._fresh |= news.changed
        if self._fresh:
            self.service.wake()

    def _turn(self) -> float | None:
        now = self._timer.monotonic()
        fresh, self._fresh = self._fresh, set()
        ids = fresh.copy()
        while self._again and self._again[0][0] <= now:
            ids |= self._again.popleft()[1]
        if fresh:
            self._again.append((now + _AGAIN, fresh))
        try:
            self._end_what_was_called_off(ids)
        except StoreError:
            self._fresh |= ids
            raise
        return self._again[0][0] - now if self._again else None

    def _end_what_was_called_off(self, ids: set[int]) -> None:
        for job_id in [*self._attempts] if _ANY in ids else ids & self._attempts.keys():
            stored, attempt = self._store.get(job_id), self._attempts.get(job_id)
            if attempt is None or stored is None or stored.called_off is None or not attempt.is_of(stored):
                continue
            attempt.job = stored
            attempt.stop(Cancelled(stored.called_off))
