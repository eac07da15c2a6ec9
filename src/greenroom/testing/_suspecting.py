# ruff: noqa: S101 - a test is its name and what it asserts, and an expected value is a number
"""Suspecting: jobs that processes die of are counted, kept apart from the rest, and given out one by one."""

from __future__ import annotations

from greenroom.clock import SECOND, ManualClock
from greenroom.job import SUSPICIOUS, Job, Status
from greenroom.outcome import Crashed, Released, Succeeded
from greenroom.stores.base import Claim, Claimed, Store
from greenroom.testing._workers import Workers, everything, take
from greenroom.testing.jobs import NOON, a_finished_job, a_job, an_error

CRASHED = Crashed(an_error(), 3)


class Suspecting(Workers):
    """A store keeps suspects apart."""

    def test_a_job_that_crashed_once_is_claimed_like_any_other(self, store: Store, clock: ManualClock) -> None:
        job = crashed(store, clock, times=1)
        assert take(store, clock.now()) == [job.claimed(store.worker, clock.now())]
        assert everything(store)[0].crashes == 1

    def test_a_suspect_is_not_claimed_with_the_rest(self, store: Store, clock: ManualClock) -> None:
        suspect = crashed(store, clock)
        assert store.claim(Claim(clock.now(), {"greenlet": 5})) == Claimed([], None)
        assert everything(store) == [suspect]

    def test_a_suspect_is_given_to_who_asks_for_one(self, store: Store, clock: ManualClock) -> None:
        suspect = crashed(store, clock)
        assert store.claim(Claim(clock.now(), {}, suspect=True)) == Claimed(
            [suspect.claimed(store.worker, clock.now())], None
        )
        assert everything(store) == [suspect.claimed(store.worker, clock.now())]

    def test_suspects_are_given_out_one_at_a_time_and_the_longest_due_first(
        self, store: Store, clock: ManualClock
    ) -> None:
        suspects = [a_suspect(run_after=NOON - seconds, lane="idle") for seconds in (1, 3, 2)]
        store.add(suspects)
        given = [store.claim(Claim(clock.now(), {"greenlet": 5}, suspect=True)) for _ in range(4)]
        assert [[job.id for job in claimed.jobs] for claimed in given] == [
            [suspects[1].id],
            [suspects[2].id],
            [suspects[0].id],
            [],
        ]
        assert [claimed.next_suspect for claimed in given] == [NOON - 2, NOON - 1, None, None]

    def test_a_suspect_comes_beside_the_rest(self, store: Store, clock: ManualClock) -> None:
        ready, suspect = a_job(), a_suspect(lane="thread", priority=-1)
        store.add([suspect, ready])
        claimed = store.claim(Claim(clock.now(), {"greenlet": 5}, suspect=True))
        assert [job.id for job in claimed.jobs] == [ready.id, suspect.id]

    def test_a_suspect_that_is_not_yet_due_is_announced(self, store: Store, clock: ManualClock) -> None:
        store.add([a_suspect(run_after=NOON + SECOND)])
        assert store.claim(Claim(clock.now(), {})) == Claimed([], None)
        assert store.claim(Claim(clock.now(), {}, suspect=True)) == Claimed([], None, NOON + SECOND)
        clock.advance(1)
        assert len(store.claim(Claim(clock.now(), {}, suspect=True)).jobs) == 1

    def test_a_suspect_is_given_to_one_worker(self, store: Store, sibling: Store, clock: ManualClock) -> None:
        store.add([a_suspect()])
        given = [worker.claim(Claim(clock.now(), {}, suspect=True)).jobs for worker in (store, sibling)]
        assert [len(jobs) for jobs in given] == [1, 0]

    def test_a_suspect_is_ready_as_people_see_it(self, store: Store) -> None:
        store.add([suspect := a_suspect()])
        assert store.find(status=Status.READY).jobs == [suspect]
        assert store.counts()[Status.READY] == 1

    def test_a_suspect_that_is_put_back_is_still_one(self, store: Store, clock: ManualClock) -> None:
        store.add([a_suspect()])
        (running,) = store.claim(Claim(clock.now(), {}, suspect=True)).jobs
        store.swap(running, running.after(Released(clock.now()), clock.now()))
        assert take(store, clock.now()) == []
        assert len(store.claim(Claim(clock.now(), {}, suspect=True)).jobs) == 1

    def test_a_suspect_that_is_released_by_hand_is_one_no_more(self, store: Store, clock: ManualClock) -> None:
        store.add([quarantined := a_finished_job(status=Status.FAILED, crashes=3)])
        store.swap(quarantined, quarantined.again(clock.now()))
        assert [job.crashes for job in take(store, clock.now())] == [0]

    def test_a_suspect_may_succeed(self, store: Store, clock: ManualClock) -> None:
        store.add([a_suspect()])
        (running,) = store.claim(Claim(clock.now(), {}, suspect=True)).jobs
        assert store.swap(running, succeeded := running.after(Succeeded(None), clock.now()))
        assert everything(store) == [succeeded]
        assert succeeded.crashes == SUSPICIOUS

    def test_those_that_crashed_are_found(self, store: Store) -> None:
        jobs = [
            a_job(),
            a_job(crashes=1),
            a_suspect(),
            a_finished_job(crashes=1, task="app.other"),
            a_finished_job(crashes=0),
            a_finished_job(status=Status.FAILED, crashes=3),
        ]
        store.add(jobs)
        crashed = [jobs[5], jobs[3], jobs[2], jobs[1]]
        assert store.find(crashed=True).jobs == crashed
        assert store.find(crashed=True, status=Status.FAILED).jobs == [jobs[5]]
        assert store.find(crashed=True, task="app.other").jobs == [jobs[3]]
        page = store.find(crashed=True, limit=2)
        assert page.jobs == crashed[:2]
        assert store.find(crashed=True, limit=2, before=page.next).jobs == crashed[2:]


def a_suspect(**changes: object) -> Job:
    return a_job(**{"crashes": SUSPICIOUS, "attempt": SUSPICIOUS, "version": 4, **changes})


def crashed(store: Store, clock: ManualClock, *, times: int = SUSPICIOUS) -> Job:
    """A job whose process died so often, as it is stored."""
    job = a_job()
    store.add([job])
    for _ in range(times):
        (running,) = take(store, clock.now())
        job = running.after(CRASHED, clock.now())
        assert store.swap(running, job)
    return job
