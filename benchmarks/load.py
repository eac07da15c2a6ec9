"""A load: a known amount of work, warmed up and then timed."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter

import gevent
from gevent.event import Event

ENQUEUERS = 100

# About 150 bytes as JSON: what a contact form would put into a job.
PAYLOAD = {
    "name": "Ada Lovelace",
    "email": "ada@example.com",
    "subject": "The analytical engine",
    "message": "It weaves algebraical patterns just as the loom does.",
}

Work = Callable[[int], object]  # does that many of the thing, and returns when they are done


class Tally:
    """Counts what has been done, and knows when it is all of it."""

    def __init__(self) -> None:
        self.done = 0
        self._goal = 0
        self._reached = Event()

    def expect(self, count: int) -> None:
        self._goal = self.done + count
        self._reached.clear()

    def add(self) -> None:
        self.done += 1
        if self.done == self._goal:
            self._reached.set()

    def wait(self, timeout: float = 120.0) -> None:
        if not self._reached.wait(timeout):
            raise TimeoutError(f"{self.done} of {self._goal} done after {timeout:.0f} s")


def from_enqueuers(count: int, enqueue: Callable[[], object], *, gives_way: bool = False) -> None:
    """Enqueue `count` from a hundred greenlets, which give way to others after each call or only if it waits."""

    def enqueuer(share: int) -> None:
        for _ in range(share):
            enqueue()
            if gives_way:
                gevent.sleep(0)

    shares = [count // ENQUEUERS + (number < count % ENQUEUERS) for number in range(ENQUEUERS)]
    gevent.joinall([gevent.spawn(enqueuer, share) for share in shares], raise_error=True)


def warm_up(work: Work, seconds: float) -> int:
    """Do more and more until it takes a third of `seconds`; return how many would fill `seconds`."""
    count = 200
    while True:
        taken = _time(work, count)
        if taken >= seconds / 3:
            return max(200, int(count * seconds / taken))
        count = min(count * 4, max(count + 1, int(count * seconds / taken / 2)))


def rate_of(work: Work, count: int) -> float:
    """Time `count` of it; per second."""
    return count / _time(work, count)


def quantile(figures: list[float], share: float) -> float:
    ordered = sorted(figures)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def _time(work: Work, count: int) -> float:
    started = perf_counter()
    work(count)
    return perf_counter() - started
