"""Workers: the stores that a suite is played with. All that a subclass has to say is how one is made."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing

import pytest
from gevent import Timeout

from greenroom.clock import ManualClock
from greenroom.job import Job
from greenroom.stores.base import Claim, Store

MakeStore = Callable[[], Store]


class Workers:
    """Two workers on the same jobs, and the clock that they read."""

    @pytest.fixture
    def clock(self) -> ManualClock:
        return ManualClock()

    @pytest.fixture
    def make_store(self, clock: ManualClock) -> MakeStore:
        """What makes one more worker at each call: a store not yet open, on the same jobs, with this clock."""
        raise NotImplementedError(f"{type(self).__name__} must say how a store is made: a fixture `make_store`.")

    @pytest.fixture
    def store(self, make_store: MakeStore) -> Iterator[Store]:
        with closing(make_store()) as store:
            store.open()
            yield store

    @pytest.fixture
    def sibling(self, store: Store, make_store: MakeStore) -> Iterator[Store]:
        with closing(make_store()) as sibling:
            sibling.open()
            yield sibling

    @pytest.fixture(autouse=True)
    def _no_test_waits_for_ever(self) -> Iterator[None]:
        with Timeout(60):
            yield


def take(store: Store, now: int, **slots: int) -> list[Job]:
    """Claim up to so many jobs of each lane; ten of lane "greenlet" if none is named."""
    return store.claim(Claim(now, slots or {"greenlet": 10})).jobs


def lost(store: Store, now: int, limit: int = 10) -> list[Job]:
    """The jobs that are to be given to others, whatever has become of their workers."""
    return [job for job, _ in store.expired(now, limit)]


def everything(store: Store) -> list[Job]:
    """All that is stored, newest first."""
    return store.find(limit=10_000).jobs
