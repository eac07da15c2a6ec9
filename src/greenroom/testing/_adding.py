# ruff: noqa: S101 - a test is its name and what it asserts, and an expected value is a number
"""Adding: what is stored comes back as it was, all of it or nothing."""

from __future__ import annotations

import pytest
from gevent import joinall, spawn
from gevent.threadpool import ThreadPool

from greenroom.clock import ManualClock
from greenroom.errors import LeaseLost, StoreError
from greenroom.job import Job, Progress, Status
from greenroom.stores.base import Store
from greenroom.testing._workers import Workers, everything, take
from greenroom.testing.jobs import NOON, a_finished_job, a_job, an_error

LARGEST = (1 << 63) - 1

TEXTS = [
    "",
    " ",
    "naïve ☕ 日本語 🎭",
    "a\x00b",
    "\x00",
    "'; DROP TABLE job; --",
    "%s {} \\ \n\r\t",
    "null",
    "x" * 70_000,
]


class Adding(Workers):
    """A store keeps what it is given."""

    def test_a_job_comes_back_in_every_field(self, store: Store) -> None:
        job = a_finished_job()
        store.add([job])
        assert store.get(job.id) == job

    def test_a_job_with_nothing_but_the_needful_comes_back(self, store: Store) -> None:
        job = a_job()
        store.add([job])
        assert store.get(job.id) == job

    @pytest.mark.parametrize("text", TEXTS, ids=range(len(TEXTS)))
    def test_any_text_comes_back(self, store: Store, text: str) -> None:
        job = a_finished_job(
            task=text,
            payload=text,
            queue_name=text,
            lane=text,
            context=text,
            result=text,
            note=text,
            progress=Progress(1.0, None, text),
            errors=(an_error(exception_class_path=text, message=text, traceback=text), an_error(attempt=2)),
        )
        store.add([job])
        assert store.get(job.id) == job

    def test_a_payload_of_megabytes_comes_back(self, store: Store) -> None:
        job = a_job(payload='["' + "é" * 2_000_000 + '"]')
        store.add([job])
        assert store.get(job.id) == job

    @pytest.mark.parametrize("priority", [-LARGEST - 1, -1, 1, LARGEST])
    def test_any_priority_comes_back(self, store: Store, priority: int) -> None:
        job = a_job(priority=priority)
        store.add([job])
        assert store.get(job.id) == job

    @pytest.mark.parametrize("job_id", [1, 1 << 62, LARGEST])
    def test_any_id_of_63_bits_can_be_got_and_found(self, store: Store, job_id: int) -> None:
        job = a_job(id=job_id)
        store.add([job])
        assert store.get(job_id) == job
        assert store.find().jobs == [job]

    @pytest.mark.parametrize("moment", [0, 1, NOON * 1_000])
    def test_any_moment_comes_back(self, store: Store, moment: int) -> None:
        job = a_finished_job(run_after=moment, expires_at=moment, enqueued_at=moment, started_at=moment)
        store.add([job])
        assert store.get(job.id) == job

    def test_an_unknown_id_is_none(self, store: Store) -> None:
        store.add([a_job()])
        assert store.get(1) is None

    @pytest.mark.parametrize("number", [0, 2, 341, 1_001])
    def test_many_are_added_in_one_call(self, store: Store, number: int) -> None:
        jobs = [a_job() for _ in range(number)]
        store.add(jobs)
        assert everything(store) == jobs[::-1]

    def test_what_one_worker_adds_the_other_sees(self, store: Store, sibling: Store) -> None:
        job = a_job()
        store.add([job])
        assert sibling.get(job.id) == job

    def test_a_second_job_of_the_same_id_is_refused(self, store: Store) -> None:
        job = a_job()
        store.add([job])
        with pytest.raises(StoreError, match=r"(?i)an id is used once"):
            store.add([job._replace(task="app.other")])
        assert store.get(job.id) == job

    def test_if_one_is_refused_none_is_stored(self, store: Store) -> None:
        taken, new = a_job(), a_job()
        store.add([taken])
        with pytest.raises(StoreError):
            store.add([new, taken])
        assert everything(store) == [taken]

    def test_two_of_one_id_in_one_call_are_refused(self, store: Store) -> None:
        job = a_job()
        with pytest.raises(StoreError):
            store.add([job, job])
        assert everything(store) == []
        assert sum(store.counts().values()) == 0

    def test_a_refused_job_harms_none_that_is_added_at_the_same_time(self, store: Store) -> None:
        taken, *others = [a_job() for _ in range(20)]
        store.add([taken])
        adding = [spawn(_refusal, store, job) for job in [*others[:10], taken, *others[10:]]]
        joinall(adding, raise_error=True)
        assert [greenlet.value for greenlet in adding] == [False] * 10 + [True] + [False] * 9
        assert everything(store) == [*others[::-1], taken]

    def test_what_many_greenlets_add_all_arrives(self, store: Store) -> None:
        jobs = [a_job() for _ in range(500)]
        joinall([spawn(store.add, [job]) for job in jobs], raise_error=True)
        assert everything(store) == jobs[::-1]

    def test_what_native_threads_add_all_arrives(self, store: Store) -> None:
        jobs = [a_job() for _ in range(200)]
        pool = ThreadPool(4)
        joinall([pool.spawn(store.add, [job]) for job in jobs], raise_error=True)
        pool.kill()
        assert everything(store) == jobs[::-1]

    def test_a_job_may_be_added_as_claimed_by_this_worker(self, store: Store) -> None:
        claimed = a_job().claimed(store.worker, NOON)
        store.add([claimed])
        assert store.get(claimed.id) == claimed
        assert store.counts()[Status.RUNNING] == 1

    def test_a_job_added_as_claimed_is_given_to_nobody(
        self, store: Store, sibling: Store, clock: ManualClock
    ) -> None:
        store.add([a_job().claimed(store.worker, NOON)])
        assert take(store, clock.now()) == []
        assert take(sibling, clock.now()) == []

    def test_a_job_claimed_by_another_worker_cannot_be_added(self, store: Store, sibling: Store) -> None:
        theirs = a_job().claimed(sibling.worker, NOON)
        with pytest.raises(LeaseLost, match=f"claimed by worker {sibling.worker}"):
            store.add([a_job(), theirs])
        assert everything(store) == []


def _refusal(store: Store, job: Job) -> bool:
    try:
        store.add([job])
    except StoreError:
        return True
    return False
