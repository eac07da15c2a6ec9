# ruff: noqa: S101 - a test is its name and what it asserts, and an expected value is a number
"""Swapping: one version of a job takes the place of the one before it, and of no other."""

from __future__ import annotations

import pytest
from gevent import joinall, spawn

from greenroom.clock import SECOND, ManualClock
from greenroom.job import Job, Progress, Status
from greenroom.outcome import Cancelled, Failed, Outcome, Released, Retried, Succeeded
from greenroom.stores.base import Claim, Claimed, Store
from greenroom.testing._workers import Workers, everything, take
from greenroom.testing.jobs import NOON, a_finished_job, a_job, an_error

OUTCOMES: list[Outcome] = [
    Succeeded('{"rows": 3}'),
    Succeeded(None),
    Retried(NOON + SECOND, an_error()),
    Retried(NOON, an_error()),
    Failed(an_error()),
    Cancelled("not needed any more"),
    Released(NOON + SECOND, "snoozed"),
    Released(NOON),
]


class Swapping(Workers):
    """A store swaps versions."""

    @pytest.mark.parametrize("outcome", OUTCOMES, ids=str)
    def test_every_outcome_is_stored_as_it_is(self, store: Store, clock: ManualClock, outcome: Outcome) -> None:
        running = _running(store, clock)
        settled = running.after(outcome, clock.now())
        assert store.swap(running, settled)
        assert store.get(running.id) == settled

    def test_only_the_stored_version_is_swapped(self, store: Store, clock: ManualClock) -> None:
        job = a_job()
        store.add([job])
        (running,) = take(store, clock.now())
        assert not store.swap(job, job.after(Cancelled("too late"), clock.now()))
        assert store.get(job.id) == running

    def test_a_version_yet_to_come_is_not_swapped(self, store: Store, clock: ManualClock) -> None:
        job = a_job()
        store.add([job])
        to_come = job.claimed(store.worker, clock.now())
        assert not store.swap(to_come, to_come.after(Succeeded(None), clock.now()))
        assert store.get(job.id) == job

    def test_what_is_not_stored_is_not_swapped(self, store: Store, clock: ManualClock) -> None:
        job = a_job()
        assert not store.swap(job, job.after(Cancelled("never was"), clock.now()))
        assert everything(store) == []

    def test_of_two_swaps_of_one_version_the_first_wins(self, store: Store, clock: ManualClock) -> None:
        running = _running(store, clock)
        first = running.after(Succeeded("1"), clock.now())
        assert store.swap(running, first)
        assert not store.swap(running, running.after(Succeeded("2"), clock.now()))
        assert store.get(running.id) == first

    def test_of_swaps_of_one_version_at_the_same_time_one_wins(
        self, store: Store, sibling: Store, clock: ManualClock
    ) -> None:
        running = _running(store, clock)
        wanted = [running.after(Succeeded(str(number)), clock.now()) for number in range(20)]
        swapping = [
            spawn(worker.swap, running, new) for worker, new in zip([store, sibling] * 10, wanted, strict=True)
        ]
        joinall(swapping, raise_error=True)
        (winner,) = [new for new, greenlet in zip(wanted, swapping, strict=True) if greenlet.value]
        assert store.get(running.id) == winner

    def test_many_jobs_are_swapped_at_the_same_time(self, store: Store, clock: ManualClock) -> None:
        store.add([a_job() for _ in range(300)])
        settled = [job.after(Succeeded(str(job.id)), 1) for job in take(store, clock.now(), greenlet=300)]
        running = everything(store)[::-1]
        swapping = [spawn(store.swap, *pair) for pair in zip(running, settled, strict=True)]
        joinall(swapping, raise_error=True)
        assert all(greenlet.value for greenlet in swapping)
        assert everything(store) == settled[::-1]

    def test_several_jobs_are_swapped_in_one_call(self, store: Store, clock: ManualClock) -> None:
        store.add([a_job() for _ in range(5)])
        running = take(store, clock.now())
        stale = running[1], running[1].after(Succeeded("late"), clock.now())
        store.swap(running[1], first := running[1].after(Cancelled("no"), clock.now()))
        changes = [
            (running[0], running[0].after(Succeeded("0"), clock.now())),
            stale,
            (running[2], running[2].after(Retried(NOON + SECOND, an_error()), clock.now())),
            (unknown := a_job(), unknown.after(Succeeded("never was"), clock.now())),
            (running[4], running[4].after(Succeeded("4"), clock.now())),
        ]
        assert store.swap_all(changes) == [True, False, True, False, True]
        stored = [changes[0][1], first, changes[2][1], running[3], changes[4][1]]
        assert everything(store) == stored[::-1]

    def test_one_job_is_swapped_twice_in_one_call(self, store: Store, clock: ManualClock) -> None:
        first = a_job()
        second = first.claimed(store.worker, clock.now())
        third = second.after(Succeeded(None), clock.now())
        store.add([first])
        changes = [(first, second), (first, third), (second, third), (second, third)]
        assert store.swap_all(changes) == [True, False, True, False]
        assert store.get(first.id) == third

    def test_to_swap_nothing_is_nothing(self, store: Store) -> None:
        assert store.swap_all([]) == []

    @pytest.mark.parametrize("before", Status)
    @pytest.mark.parametrize("after", Status)
    def test_any_status_can_follow_any(self, store: Store, before: Status, after: Status) -> None:
        old = a_finished_job(status=before, worker=store.worker)
        new = old._replace(status=after, version=old.version + 1, errors=(), result=None, progress=None)
        store.add([old])
        assert store.swap(old, new)
        assert store.get(old.id) == new
        assert store.counts() == dict.fromkeys(Status, 0) | {after: 1}

    def test_a_retry_is_claimed_when_it_is_due_and_not_before(self, store: Store, clock: ManualClock) -> None:
        running = _running(store, clock)
        retried = running.after(Retried(NOON + SECOND, an_error()), clock.now())
        store.swap(running, retried)
        assert store.claim(Claim(clock.now(), {"greenlet": 1})) == Claimed([], NOON + SECOND)
        clock.advance(1)
        assert take(store, clock.now()) == [retried.claimed(store.worker, clock.now())]

    def test_what_is_given_back_is_claimed_by_anybody(self, store: Store, sibling: Store, clock: ManualClock) -> None:
        running = _running(store, clock)
        released = running.after(Released(clock.now()), clock.now())
        store.swap(running, released)
        assert take(sibling, clock.now()) == [released.claimed(sibling.worker, clock.now())]

    def test_a_finished_job_can_be_run_again(self, store: Store, clock: ManualClock) -> None:
        finished = a_finished_job()
        store.add([finished])
        again = finished.again(clock.now())
        assert store.swap(finished, again)
        assert take(store, clock.now()) == [again.claimed(store.worker, clock.now())]

    def test_a_cancelled_job_is_neither_claimed_nor_announced(self, store: Store, clock: ManualClock) -> None:
        now, later = a_job(), a_job(run_after=NOON + SECOND)
        store.add([now, later])
        for job in (now, later):
            store.swap(job, job.after(Cancelled("not needed"), clock.now()))
        assert store.claim(Claim(clock.now(), {"greenlet": 5})) == Claimed([], None)
        clock.advance(1)
        assert take(store, clock.now()) == []

    def test_a_ready_job_can_be_put_off(self, store: Store, clock: ManualClock) -> None:
        job = a_job()
        store.add([job])
        store.swap(job, job._replace(run_after=NOON + SECOND, version=1))
        assert store.claim(Claim(clock.now(), {"greenlet": 1})) == Claimed([], NOON + SECOND)
        clock.advance(1)
        assert len(take(store, clock.now())) == 1

    def test_a_job_put_off_can_be_brought_forward(self, store: Store, clock: ManualClock) -> None:
        job = a_job(run_after=NOON + SECOND)
        store.add([job])
        store.swap(job, job._replace(run_after=NOON, version=1))
        claimed = store.claim(Claim(clock.now(), {"greenlet": 5}))
        assert len(claimed.jobs) == 1
        assert claimed.next_due is None

    def test_a_ready_job_can_change_its_lane_and_its_priority(self, store: Store, clock: ManualClock) -> None:
        first, second = a_job(), a_job()
        store.add([first, second])
        store.swap(first, first._replace(lane="idle", version=1))
        store.swap(second, second._replace(priority=9, queue_name="mail", version=1))
        assert [job.id for job in take(store, clock.now())] == [second.id]
        assert [job.id for job in take(store, clock.now(), idle=5)] == [first.id]

    def test_progress_leaves_the_job_running(self, store: Store, clock: ManualClock) -> None:
        running = _running(store, clock)
        moved = running._replace(progress=Progress(3, 10, "rows"), version=running.version + 1)
        assert store.swap(running, moved)
        assert store.get(running.id) == moved
        assert take(store, clock.now()) == []
        assert store.swap(moved, moved.after(Succeeded(None), clock.now()))


def _running(store: Store, clock: ManualClock) -> Job:
    store.add([a_job()])
    (running,) = take(store, clock.now())
    return running
