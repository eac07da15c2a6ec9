# ruff: noqa: S101, PLR2004 - a test is its name and what it asserts, and an expected value is a number
"""Opening and closing: in any order, any number of times, and whatever else goes on."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import takewhile

import pytest
from gevent import joinall, spawn
from gevent.threadpool import ThreadPool

from greenroom.errors import StoreUnavailable
from greenroom.job import Job
from greenroom.outcome import Cancelled
from greenroom.stores.base import LEASE, Claim, Store
from greenroom.testing._workers import MakeStore, Workers, everything
from greenroom.testing.jobs import NOON, a_job

VERBS: dict[str, Callable[[Store], object]] = {
    "add": lambda store: store.add([a_job()]),
    "claim": lambda store: store.claim(Claim(NOON, {"greenlet": 1})),
    "swap": lambda store: store.swap(a_job(), a_job().after(Cancelled("no"), NOON)),
    "swap_all": lambda store: store.swap_all([(a_job(), a_job().after(Cancelled("no"), NOON))]),
    "renew": lambda store: store.renew(NOON + LEASE),
    "expired": lambda store: store.expired(NOON, 10),
    "get": lambda store: store.get(1),
    "find": lambda store: store.find(),
    "counts": lambda store: store.counts(),
    "prune": lambda store: store.prune(NOON, 10),
}


class Opening(Workers):
    """A store is opened and closed."""

    def test_to_open_twice_is_to_open_once(self, store: Store) -> None:
        number = store.worker
        store.open()
        assert store.worker == number
        store.add([a_job()])

    def test_to_close_twice_is_to_close_once(self, store: Store) -> None:
        store.close()
        store.close()

    def test_to_close_what_was_never_opened_is_nothing(self, make_store: MakeStore) -> None:
        make_store().close()

    @pytest.mark.parametrize("verb", VERBS.values(), ids=VERBS)
    def test_before_it_is_opened_it_is_unavailable(
        self, make_store: MakeStore, verb: Callable[[Store], object]
    ) -> None:
        with pytest.raises(StoreUnavailable, match=r"call open\(\) first"):
            verb(make_store())

    @pytest.mark.parametrize("verb", VERBS.values(), ids=VERBS)
    def test_after_it_is_closed_it_is_unavailable(self, store: Store, verb: Callable[[Store], object]) -> None:
        store.close()
        with pytest.raises(StoreUnavailable):
            verb(store)

    def test_jobs_are_there_when_it_is_opened_again(self, store: Store) -> None:
        job = a_job()
        store.add([job])
        store.close()
        store.open()
        assert everything(store) == [job]

    def test_a_worker_that_closes_takes_nothing_from_the_others(self, store: Store, sibling: Store) -> None:
        sibling.close()
        job = a_job()
        store.add([job])
        assert everything(store) == [job]

    def test_it_may_be_opened_again_while_it_closes(self, store: Store) -> None:
        joinall([spawn(store.close), spawn(store.open)], raise_error=True)
        store.open()
        job = a_job()
        store.add([job])
        assert everything(store) == [job]

    def test_what_is_added_while_it_closes_is_stored_or_refused(self, store: Store, sibling: Store) -> None:
        jobs = [a_job() for _ in range(100)]
        adding = [spawn(_is_added, store, job) for job in jobs[:50]]
        adding.append(spawn(store.close))
        adding += [spawn(_is_added, store, job) for job in jobs[50:]]
        joinall(adding, raise_error=True)
        del adding[50]
        added = [job for job, greenlet in zip(jobs, adding, strict=True) if greenlet.value]
        assert everything(sibling) == added[::-1]

    def test_what_threads_add_while_it_closes_is_stored_or_refused(self, store: Store, sibling: Store) -> None:
        pool = ThreadPool(4)
        adding = [pool.spawn(_add_until_closed, store) for _ in range(4)]
        while len(everything(sibling)) < 20:
            pass
        store.close()
        joinall(adding, raise_error=True)
        pool.kill()
        added = sorted(job for thread in adding for job in thread.value)
        assert everything(sibling) == added[::-1]

    def test_it_says_where_it_is(self, store: Store) -> None:
        assert "://" in store.url


def _is_added(store: Store, job: Job) -> bool:
    try:
        store.add([job])
    except StoreUnavailable:
        return False
    return True


def _add_until_closed(store: Store) -> list[Job]:
    jobs = [a_job() for _ in range(2_000)]
    return [*takewhile(partial(_is_added, store), jobs)]
