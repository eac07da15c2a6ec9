"""Track: for those who write loops. It gives way by time and not by rows, tells how far it is, and can go on later.

    for row in track(rows):
        ...

Where pre-emption works it is not needed to keep the site alive; it works everywhere, in every lane, and ends the task
at a place that the task has chosen.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sized
from datetime import timedelta
from itertools import islice
from time import perf_counter
from typing import NamedTuple, TypeVar

from gevent import getcurrent

from greenroom import _check
from greenroom._attempt import Attempt, current
from greenroom.errors import InvalidOption
from greenroom.lanes import breath
from greenroom.lanes.lot import lot_here

T = TypeVar("T")

EVERY = timedelta(milliseconds=1)
_TELL_EVERY = 0.1  # seconds between reports of progress


def checkpoint() -> None:
    """Give way for a moment, and raise whatever is to end this task. Does nothing outside of greenlets and lanes.

    In a task with `on_drain="interrupt"` that is ShuttingDown, once the process is to end.
    """
    breathe = breath.get(None)
    attempt = current.get(None)
    if breathe is not None:
        breathe()
    elif getcurrent().parent is not None:
        lot_here().park(0 if attempt is None else attempt.priority)
    if attempt is not None:
        attempt.interrupt_if_stopping()


def track(
    rows: Iterable[T],
    *,
    total: int | None = None,
    every: timedelta = EVERY,
    note: str = "",
    resume: bool = False,
) -> Iterator[T]:
    """The rows, with a `checkpoint()` after each `every` of computing, and the task's progress kept up to date.

    `total` is how many there are, if `rows` cannot tell; `note` goes with the progress. With `resume` a job that runs
    again goes on behind the rows that earlier attempts have finished: the rows must come in the same order, and the
    last second of them may come twice. Outside of a task it only yields the rows. Raises InvalidOption.
    """
    _check.span("every", every)
    attempt = current.get(None)
    if total is None and isinstance(rows, Sized):
        total = len(rows)
    first = 0
    if resume:
        if attempt is None:
            raise InvalidOption(
                "track(resume=True) is for code that runs in a task: what it resumes is the task's job."
            )
        if attempt.progress_made is not None:
            raise InvalidOption(
                "track(resume=True) has to come first: this attempt has told of progress already, which is where the "
                "place to go on is kept. Use it for one loop of the task, the outermost."
            )
        first = int(attempt.saved.done) if attempt.saved is not None else 0
    tracked = _Tracked(total, every.total_seconds(), note, attempt)
    return tracked.each(islice(rows, first, None), first)


class _Tracked(NamedTuple):
    """A loop that is tracked."""

    total: int | None
    every: float
    note: str
    attempt: Attempt | None

    def each(self, rows: Iterator[T], done: int) -> Iterator[T]:
        lot = lot_here() if getcurrent().parent is not None else None
        began = told = perf_counter()
        try:
            for row in rows:
                yield row
                done += 1
                now = perf_counter()
                if now - began < self.every:
                    continue
                if lot is None or now - lot.resumed_at >= self.every:  # else it was put aside just now
                    if now - told >= _TELL_EVERY:
                        self._tell(done)
                        told = now
                    checkpoint()
                elif self.attempt is not None:
                    self.attempt.interrupt_if_stopping()
                began = perf_counter()
        finally:
            self._tell(done)

    def _tell(self, done: int) -> None:
        if self.attempt is not None:
            self.attempt.progress(done, self.total, self.note)
