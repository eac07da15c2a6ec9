# ruff: noqa: S101 - a test is its name and what it asserts, and an expected value is a number
"""Claiming: what is due is given out once, by priority and then by age."""

from __future__ import annotations

import pytest
from gevent import joinall, spawn

from greenroom.clock import SECOND, ManualClock
from greenroom.job import Job, Status
from greenroom.stores.base import Claim, Claimed, Store
from greenroom.testing._workers import Workers, everything, take
from greenroom.testing.jobs import NOON, a_finished_job, a_job

LARGEST = (1 << 63) - 1


class Claiming(Workers):
    """A store gives out what is due."""

    def test_a_claimed_job_is_what_job_claimed_says(self, store: Store, clock: ManualClock) -> None:
        job = a_job(note="put back", attempt=1, version=2)
        store.add([job])
        clock.advance(7)
        claimed = take(store, clock.now())
        assert claimed == [job.claimed(store.worker, clock.now())]
        assert everything(store) == claimed

    def test_higher_priority_comes_first_and_then_age(self, store: Store, clock: ManualClock) -> None:
        priorities = [0, 5, -5, LARGEST, -LARGEST, 5, 0, -1]
        jobs = [a_job(priority=priority) for priority in priorities]
        store.add(jobs)
        expected = sorted(jobs, key=lambda job: (-job.priority, job.id))
        assert _ids(take(store, clock.now())) == _ids(expected)

    def test_age_is_the_id_and_not_the_order_of_adding(self, store: Store, clock: ManualClock) -> None:
        older, newer = a_job(), a_job()
        store.add([newer])
        store.add([older])
        assert _ids(take(store, clock.now())) == [older.id, newer.id]

    def test_the_order_holds_over_lanes(self, store: Store, clock: ManualClock) -> None:
        jobs = [a_job(lane=lane, priority=priority) for priority in (1, 2) for lane in ("idle", "greenlet")]
        store.add(jobs)
        claimed = take(store, clock.now(), greenlet=2, idle=2)
        assert _ids(claimed) == _ids([jobs[2], jobs[3], jobs[0], jobs[1]])

    def test_the_best_are_taken_when_slots_are_few(self, store: Store, clock: ManualClock) -> None:
        low, high, later = a_job(priority=-1), a_job(priority=1), a_job(priority=1)
        store.add([low, high, later])
        assert _ids(take(store, clock.now(), greenlet=1)) == [high.id]
        assert _ids(take(store, clock.now(), greenlet=2)) == [later.id, low.id]

    def test_lanes_are_kept_apart(self, store: Store, clock: ManualClock) -> None:
        idle, greenlet = a_job(lane="idle"), a_job(lane="greenlet")
        store.add([idle, greenlet])
        assert _ids(take(store, clock.now(), greenlet=5, thread=5)) == [greenlet.id]
        assert _ids(take(store, clock.now(), idle=5)) == [idle.id]

    def test_each_lane_has_its_own_slots(self, store: Store, clock: ManualClock) -> None:
        store.add([a_job(lane=lane) for lane in ("idle", "thread", "greenlet") for _ in range(5)])
        claimed = take(store, clock.now(), greenlet=3, idle=1)
        assert sorted(job.lane for job in claimed) == ["greenlet"] * 3 + ["idle"]

    @pytest.mark.parametrize("slots", [0, -1])
    def test_without_a_free_slot_nothing_is_taken(self, store: Store, clock: ManualClock, slots: int) -> None:
        store.add([a_job()])
        assert take(store, clock.now(), greenlet=slots) == []
        assert store.claim(Claim(clock.now(), {})).jobs == []

    def test_a_job_is_given_out_once(self, store: Store, sibling: Store, clock: ManualClock) -> None:
        store.add([a_job()])
        assert len(take(store, clock.now())) == 1
        assert take(store, clock.now()) == []
        assert take(sibling, clock.now()) == []

    def test_workers_that_claim_at_the_same_time_share_the_jobs(
        self, store: Store, sibling: Store, clock: ManualClock
    ) -> None:
        jobs = [a_job() for _ in range(60)]
        store.add(jobs)
        claiming = [spawn(take, worker, clock.now(), greenlet=7) for _ in range(6) for worker in (store, sibling)]
        joinall(claiming, raise_error=True)
        claimed = [job for greenlet in claiming for job in greenlet.value]
        assert sorted(_ids(claimed)) == _ids(jobs)
        assert {job.worker for job in claimed} <= {store.worker, sibling.worker}

    @pytest.mark.parametrize("status", [status for status in Status if status is not Status.READY])
    def test_only_what_is_ready_is_claimed(self, store: Store, clock: ManualClock, status: Status) -> None:
        worker = store.worker if status is Status.RUNNING else None
        store.add([a_finished_job(status=status, worker=worker)])
        assert store.claim(Claim(clock.now(), {"greenlet": 1})) == Claimed([], None)

    def test_what_is_not_yet_due_is_announced(self, store: Store, clock: ManualClock) -> None:
        store.add([a_job(run_after=NOON + SECOND)])
        assert store.claim(Claim(clock.now(), {"greenlet": 1})) == Claimed([], NOON + SECOND)

    def test_a_job_falls_due_at_the_very_moment(self, store: Store, clock: ManualClock) -> None:
        job = a_job(run_after=NOON + SECOND)
        store.add([job])
        clock.advance(0.999999)
        assert take(store, clock.now()) == []
        clock.advance(0.000001)
        assert take(store, clock.now()) == [job.claimed(store.worker, NOON + SECOND)]

    def test_what_falls_due_soon_can_be_claimed_ahead(self, store: Store, clock: ManualClock) -> None:
        soon, later = a_job(run_after=NOON + SECOND), a_job(run_after=NOON + SECOND + 1)
        store.add([later, soon])
        claimed = store.claim(Claim(clock.now(), {"greenlet": 5}, ahead=SECOND))
        assert claimed == Claimed([soon.claimed(store.worker, clock.now())], NOON + SECOND + 1)
        assert store.get(soon.id) == claimed.jobs[0]

    def test_what_is_due_is_for_the_claim_to_say(self, store: Store) -> None:
        job = a_job(run_after=NOON + 60 * SECOND)
        store.add([job])
        assert _ids(take(store, NOON + 60 * SECOND)) == [job.id]

    def test_the_next_due_is_the_earliest(self, store: Store, clock: ManualClock) -> None:
        seen = []
        for seconds in (30, 10, 20):
            store.add([a_job(run_after=NOON + seconds * SECOND)])
        for _ in range(4):
            seen.append(store.claim(Claim(clock.now(), {"greenlet": 1})).next_due)
            clock.advance(10)
        assert seen == [NOON + 10 * SECOND, NOON + 20 * SECOND, NOON + 30 * SECOND, None]

    def test_the_next_due_is_of_any_lane(self, store: Store, clock: ManualClock) -> None:
        store.add([a_job(lane="idle", run_after=NOON + SECOND)])
        assert store.claim(Claim(clock.now(), {"greenlet": 1})).next_due == NOON + SECOND

    def test_what_is_ready_but_finds_no_slot_is_not_announced(self, store: Store, clock: ManualClock) -> None:
        store.add([a_job(), a_job()])
        assert store.claim(Claim(clock.now(), {"greenlet": 1})).next_due is None

    def test_what_has_fallen_due_is_taken_by_priority_and_age(self, store: Store, clock: ManualClock) -> None:
        jobs = [
            a_job(run_after=NOON + seconds, priority=priority)
            for seconds, priority in [(3, 0), (2, 1), (1, 0), (0, 1)]
        ]
        store.add(jobs)
        clock.advance(1)
        assert _ids(take(store, clock.now())) == _ids([jobs[1], jobs[3], jobs[0], jobs[2]])

    def test_thousands_that_fall_due_at_once_are_all_taken(self, store: Store, clock: ManualClock) -> None:
        jobs = [a_job(run_after=NOON + 1) for _ in range(2_500)]
        store.add(jobs)
        clock.advance(1)
        taken = []
        while True:
            claimed = store.claim(Claim(clock.now(), {"greenlet": 700}))
            taken += _ids(claimed.jobs)
            if not claimed.jobs and claimed.next_due is None:
                break
        assert sorted(taken) == _ids(jobs)

    def test_a_clock_set_back_loses_nothing(self, store: Store, clock: ManualClock) -> None:
        clock.advance(3600)
        job = a_job(run_after=clock.now())
        store.add([job])
        clock.advance(-3600)
        taken = take(store, clock.now())
        clock.advance(3600)
        taken += take(store, clock.now())
        assert _ids(taken) == [job.id]


def _ids(jobs: list[Job]) -> list[int]:
    return [job.id for job in jobs]
