# ruff: noqa: S101 - a test is its name and what it asserts, and an expected value is a number
"""Leasing: the jobs of a worker that is gone are found, and it can change nothing afterwards."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from gevent import joinall, spawn

from greenroom.clock import SECOND, ManualClock
from greenroom.errors import LeaseLost
from greenroom.job import Job, Status
from greenroom.outcome import Released, Succeeded
from greenroom.stores.base import LEASE, Claim, Fate, Store
from greenroom.testing._workers import MakeStore, Workers, everything, lost, take
from greenroom.testing.jobs import NOON, a_finished_job, a_job

Change = Callable[[Store, Job], object]

CHANGES: dict[str, Change] = {
    "add": lambda store, _: store.add([a_job()]),
    "add claimed": lambda store, _: store.add([a_job().claimed(store.worker, NOON)]),
    "claim": lambda store, _: store.claim(Claim(NOON + LEASE * 2, {"greenlet": 5})),
    "swap": lambda store, job: store.swap(job, job.after(Succeeded(None), NOON)),
    "swap_all": lambda store, job: store.swap_all([(job, job.after(Succeeded(None), NOON))]),
    "renew": lambda store, _: store.renew(NOON + LEASE * 9),
    "expired": lambda store, _: store.expired(NOON, 5),
    "prune": lambda store, _: store.prune(NOON + LEASE * 9, 5),
}


class Leasing(Workers):
    """A store knows which workers live."""

    def test_what_a_living_worker_runs_is_not_expired(self, store: Store, sibling: Store, clock: ManualClock) -> None:
        store.add([a_job()])
        take(sibling, clock.now())
        clock.advance(LEASE / SECOND)
        assert lost(store, clock.now()) == []

    def test_what_a_closed_worker_ran_is_expired_at_once(
        self, store: Store, sibling: Store, clock: ManualClock
    ) -> None:
        store.add([a_job()])
        running = take(sibling, clock.now())
        sibling.close()
        assert lost(store, clock.now()) == running

    def test_what_a_worker_ran_is_expired_when_its_lease_has_run_out(
        self, store: Store, sibling: Store, clock: ManualClock
    ) -> None:
        store.add([a_job()])
        running = take(sibling, clock.now())
        clock.advance(LEASE / SECOND + 0.000001)
        assert lost(store, clock.now()) == running

    def test_a_worker_that_closed_has_left(self, store: Store, sibling: Store, clock: ManualClock) -> None:
        store.add([a_job()])
        take(sibling, clock.now())
        sibling.close()
        assert [fate for _, fate in store.expired(clock.now(), 10)] == [Fate.LEFT]

    def test_a_worker_whose_lease_ran_out_is_stalled(self, store: Store, sibling: Store, clock: ManualClock) -> None:
        store.add([a_job()])
        take(sibling, clock.now())
        later = clock.now() + store.lease + 1
        assert [fate for _, fate in store.expired(later, 10)] == [Fate.STALLED]

    def test_what_was_added_as_claimed_expires_like_any_other(
        self, store: Store, sibling: Store, clock: ManualClock
    ) -> None:
        claimed = a_job().claimed(sibling.worker, clock.now())
        sibling.add([claimed])
        assert lost(store, clock.now()) == []
        sibling.close()
        assert lost(store, clock.now()) == [claimed]

    def test_a_lease_that_is_renewed_holds(self, store: Store, sibling: Store, clock: ManualClock) -> None:
        store.add([a_job()])
        take(sibling, clock.now())
        clock.advance(20)
        sibling.renew(clock.now() + LEASE)
        clock.advance(LEASE / SECOND)
        assert lost(store, clock.now()) == []
        clock.advance(1)
        assert len(lost(store, clock.now())) == 1

    def test_a_worker_can_come_back_while_its_jobs_are_still_its_own(
        self, store: Store, sibling: Store, clock: ManualClock
    ) -> None:
        store.add([a_job()])
        (running,) = take(sibling, clock.now())
        clock.advance(31)
        assert lost(store, clock.now()) == [running]
        sibling.renew(clock.now() + LEASE)
        assert lost(store, clock.now()) == []
        assert sibling.swap(running, running.after(Succeeded(None), clock.now()))

    def test_a_worker_never_finds_its_own_jobs_expired(self, store: Store, clock: ManualClock) -> None:
        store.add([a_job()])
        take(store, clock.now())
        clock.advance(3600)
        assert lost(store, clock.now()) == []

    def test_only_running_jobs_expire(self, store: Store, sibling: Store, clock: ManualClock) -> None:
        sibling.add([a_job(), a_job(run_after=NOON + SECOND), a_finished_job()])
        (running,) = take(sibling, clock.now(), greenlet=1)
        sibling.swap(running, running.after(Succeeded(None), clock.now()))
        sibling.close()
        assert lost(store, clock.now()) == []

    def test_no_more_are_listed_than_asked_for_and_the_oldest_first(
        self, store: Store, sibling: Store, clock: ManualClock
    ) -> None:
        jobs = [a_job(priority=number) for number in range(5)]
        store.add(jobs)
        take(sibling, clock.now())
        sibling.close()
        assert [job.id for job in lost(store, clock.now(), 3)] == [job.id for job in jobs[:3]]

    def test_what_is_listed_stays_listed_until_it_is_swapped(
        self, store: Store, sibling: Store, clock: ManualClock
    ) -> None:
        store.add([a_job(), a_job()])
        first, second = take(sibling, clock.now())
        clock.advance(31)
        assert lost(store, clock.now()) == [first, second]
        assert lost(store, clock.now()) == [first, second]
        assert store.swap(first, first.after(Released(clock.now()), clock.now()))
        assert lost(store, clock.now()) == [second]

    def test_a_rescued_job_is_run_by_another(self, store: Store, sibling: Store, clock: ManualClock) -> None:
        store.add([a_job()])
        (gone,) = take(sibling, clock.now())
        _declare_dead(store, clock)
        (running,) = take(store, clock.now())
        assert (running.id, running.worker) == (gone.id, store.worker)

    @pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
    def test_a_worker_declared_dead_can_change_nothing(
        self, store: Store, sibling: Store, clock: ManualClock, change: Change
    ) -> None:
        store.add([a_job(), a_job(run_after=NOON + SECOND), a_finished_job()])
        (gone,) = take(sibling, clock.now())
        _declare_dead(store, clock)
        before = everything(store)
        with pytest.raises(LeaseLost, match="declared dead"):
            change(sibling, gone)
        assert everything(store) == before

    def test_all_that_a_dead_worker_asks_at_the_same_time_is_refused(
        self, store: Store, sibling: Store, clock: ManualClock
    ) -> None:
        store.add([a_job(), a_job()])
        gone, _ = take(sibling, clock.now())
        _declare_dead(store, clock)
        before = everything(store)
        asking = [spawn(_is_refused, change, sibling, gone) for change in CHANGES.values()]
        joinall(asking, raise_error=True)
        # One may come a moment after the others, when the store is a new worker: then it does no harm.
        assert any(greenlet.value for greenlet in asking)
        assert not sibling.swap(gone, gone.after(Succeeded(None), clock.now()))
        assert [job for job in everything(store) if job.worker == gone.worker] == []
        assert {job.id for job in before} <= {job.id for job in everything(store)}

    def test_what_a_dead_worker_did_is_not_accepted_when_it_is_a_new_one(
        self, store: Store, sibling: Store, clock: ManualClock
    ) -> None:
        store.add([a_job()])
        (gone,) = take(sibling, clock.now())
        mine = a_job().claimed(sibling.worker, clock.now())
        _declare_dead(store, clock)
        for _ in range(2):
            with pytest.raises(LeaseLost):
                sibling.add([mine])
        assert not sibling.swap(gone, gone.after(Succeeded(None), clock.now()))
        assert store.counts()[Status.RUNNING] == 0

    def test_after_the_refusal_the_store_is_a_new_worker(
        self, store: Store, sibling: Store, clock: ManualClock
    ) -> None:
        number = sibling.worker
        _declare_dead(store, clock)
        with pytest.raises(LeaseLost):
            sibling.add([a_job()])
        assert sibling.worker > max(number, store.worker)
        sibling.add([a_job()])
        (running,) = take(sibling, clock.now())
        assert running.worker == sibling.worker
        assert lost(store, clock.now()) == []

    def test_a_dead_worker_may_still_read(self, store: Store, sibling: Store, clock: ManualClock) -> None:
        job = a_job()
        store.add([job])
        _declare_dead(store, clock)
        assert sibling.get(job.id) == job
        assert sibling.find().jobs == [job]
        assert sibling.counts()[Status.READY] == 1

    def test_a_number_is_never_given_twice(self, store: Store, make_store: MakeStore, clock: ManualClock) -> None:
        numbers = [store.worker]
        for _ in range(3):
            sibling = make_store()
            for _ in range(2):
                sibling.open()
                numbers.append(sibling.worker)
                sibling.close()
                lost(store, clock.now())
        assert numbers == sorted(set(numbers))
        assert numbers[0] >= 1


def _declare_dead(store: Store, clock: ManualClock) -> None:
    """Let every other worker's lease run out, take its jobs from it, and have it forgotten."""
    clock.advance(31)
    store.renew(clock.now() + LEASE)
    while jobs := lost(store, clock.now()):
        for job in jobs:
            store.swap(job, job.after(Released(clock.now()), clock.now()))


def _is_refused(change: Change, store: Store, job: Job) -> bool:
    try:
        change(store, job)
    except LeaseLost:
        return True
    return False
