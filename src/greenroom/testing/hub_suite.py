# ruff: noqa: S101 - a test is its name and what it asserts
"""HubSuite and StallSuite: no verb of a store holds the hub up, neither by computing nor by waiting.

Neither measures how late anything is. The one counts the CPU time that the hub's own thread spends at one go; the
other lets the heart, which beats in the hub, end what the store waits for: held up, it would wait for ever.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, closing
from typing import Protocol

import pytest
from gevent import joinall, spawn

from greenroom.clock import SECOND, ManualClock
from greenroom.job import Job
from greenroom.outcome import Cancelled, Released
from greenroom.stores.base import LEASE, Claim, Store
from greenroom.testing._heart import Heart
from greenroom.testing._workers import MakeStore, Workers, take
from greenroom.testing.jobs import NOON, a_finished_job, a_job

MANY = 1_000
AT_ONE_GO = 0.05  # seconds of CPU time: more, and a visitor notices
BEATS = 100

Verb = Callable[[Store, list[Job], MakeStore], object]


def _swap_some(store: Store, jobs: list[Job]) -> None:
    # Not all: to start a thousand greenlets is itself too much at one go.
    swapping = [spawn(store.swap, job, job.after(Cancelled("no"), NOON)) for job in jobs[:50]]
    joinall(swapping, raise_error=True)


def _open_and_close(make_store: MakeStore) -> None:
    with closing(make_store()) as store:
        store.open()


VERBS: dict[str, Verb] = {
    "add": lambda store, jobs, *_: store.add([a_job() for _ in jobs]),
    "claim": lambda store, jobs, *_: store.claim(Claim(NOON, {"idle": len(jobs)})),
    "swap": lambda store, jobs, *_: _swap_some(store, jobs),
    "swap_all": lambda store, jobs, *_: store.swap_all([(job, job.after(Released(NOON), NOON)) for job in jobs]),
    "renew": lambda store, *_: store.renew(NOON + LEASE),
    "expired": lambda store, jobs, *_: store.expired(NOON, len(jobs)),
    "get": lambda store, jobs, *_: store.get(jobs[0].id),
    "find": lambda store, jobs, *_: store.find(task="app.send", limit=len(jobs)),
    "counts": lambda store, *_: store.counts(),
    "prune": lambda store, jobs, *_: store.prune(NOON + SECOND, len(jobs)),
    "open and close": lambda _, __, make: _open_and_close(make),
}

each_verb = pytest.mark.parametrize("verb", VERBS.values(), ids=VERBS)


class Held(Protocol):
    """Something that makes a store wait."""

    def let_go(self) -> None:
        """End it. Called in the event loop, so it must not wait."""

    def is_held(self) -> bool:
        """Whether it still lasts: no more from the moment at which it lets go by itself."""


Hold = Callable[[], AbstractContextManager[Held]]


class Busy(Workers):
    """A store with many jobs of each kind."""

    @pytest.fixture
    def number(self) -> int:
        return MANY

    @pytest.fixture
    def running(self, store: Store, clock: ManualClock, number: int) -> list[Job]:
        """Jobs that run; besides them as many that are ready, due later, and finished."""
        jobs = [a_job(), a_job(lane="idle"), a_job(run_after=NOON + SECOND), a_finished_job()]
        store.add([job._replace(id=a_job().id) for job in jobs for _ in range(number)])
        return take(store, clock.now(), greenlet=number)


class HubSuite(Busy):
    """Judges whether a store computes where it should not. A subclass gives the fixture `make_store`."""

    @each_verb
    def test_the_hub_computes_little_at_one_go(
        self, store: Store, running: list[Job], make_store: MakeStore, verb: Verb
    ) -> None:
        with Heart() as heart:
            verb(store, running, make_store)
        assert heart.longest < AT_ONE_GO


class StallSuite(Busy):
    """Judges whether a store waits where it should not.

    A subclass gives `make_store`, and `hold`: a context manager in which no change to the store gets through, as
    when another process has it locked. It must end by itself after some seconds.
    """

    @pytest.fixture
    def number(self) -> int:
        return 3

    @pytest.fixture
    def hold(self) -> Hold:
        raise NotImplementedError(f"{type(self).__name__} must say what makes the store wait: a fixture `hold`.")

    @each_verb
    def test_the_heart_beats_while_it_waits(
        self, store: Store, running: list[Job], make_store: MakeStore, hold: Hold, verb: Verb
    ) -> None:
        with hold() as held, Heart() as heart:
            heart.at(BEATS, held.let_go)
            verb(store, running, make_store)
            # Either it had no need to wait, or the heart has freed it.
            assert held.is_held() or heart.beats >= BEATS
            heart.wait_for(BEATS)
