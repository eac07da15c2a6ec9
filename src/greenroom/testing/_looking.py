# ruff: noqa: S101, PLR2004 - a test is its name and what it asserts, and an expected value is a number
"""Looking: jobs are found, counted and, long after they finished, pruned."""

from __future__ import annotations

import pytest

from greenroom.clock import SECOND, ManualClock
from greenroom.job import Status
from greenroom.outcome import Cancelled, Succeeded
from greenroom.stores.base import Store
from greenroom.testing._workers import Workers, everything, take
from greenroom.testing.jobs import NOON, a_finished_job, a_job

HOUR = 3600 * SECOND


class Looking(Workers):
    """A store shows what it holds."""

    def test_the_newest_are_found_first(self, store: Store) -> None:
        jobs = [a_job() for _ in range(5)]
        store.add([jobs[3], jobs[0], jobs[4], jobs[1], jobs[2]])
        assert store.find().jobs == jobs[::-1]

    @pytest.mark.parametrize("status", Status)
    def test_jobs_are_found_by_status(self, store: Store, status: Status) -> None:
        jobs = {each: a_finished_job(status=each, worker=store.worker) for each in Status}
        store.add(list(jobs.values()))
        assert store.find(status=status).jobs == [jobs[status]]

    def test_what_is_due_later_is_found_as_ready(self, store: Store) -> None:
        now, later = a_job(), a_job(run_after=NOON + SECOND)
        store.add([now, later])
        assert store.find(status=Status.READY).jobs == [later, now]

    def test_jobs_are_found_by_task_and_by_queue(self, store: Store) -> None:
        mail, other = a_job(task="app.mail", queue_name="mail"), a_job(task="app.other", queue_name="slow")
        store.add([mail, other])
        assert store.find(task="app.mail").jobs == [mail]
        assert store.find(queue_name="slow").jobs == [other]
        assert store.find(task="app.Mail").jobs == []

    def test_what_is_asked_for_must_hold_together(self, store: Store) -> None:
        wanted = a_finished_job(task="app.mail", queue_name="mail", status=Status.FAILED)
        store.add(
            [
                wanted,
                a_finished_job(task="app.mail", queue_name="mail"),
                a_finished_job(task="app.mail", status=Status.FAILED),
                a_finished_job(queue_name="mail", status=Status.FAILED),
            ]
        )
        assert store.find(status=Status.FAILED, task="app.mail", queue_name="mail").jobs == [wanted]

    def test_a_page_holds_no_more_than_asked_for(self, store: Store) -> None:
        jobs = [a_job() for _ in range(5)]
        store.add(jobs)
        page = store.find(limit=2)
        assert page.jobs == [jobs[4], jobs[3]]
        assert store.find(limit=2, before=page.next).jobs == [jobs[2], jobs[1]]

    @pytest.mark.parametrize("number", [0, 1, 3])
    def test_the_last_page_names_no_next(self, store: Store, number: int) -> None:
        store.add([a_job() for _ in range(number)])
        assert store.find(limit=3).next is None

    def test_each_job_is_on_one_page_though_others_come_meanwhile(self, store: Store) -> None:
        jobs = [a_job(status=Status.READY if number % 3 else Status.FAILED) for number in range(30)]
        store.add(jobs)
        found, page = [], store.find(status=Status.READY, limit=3)
        while True:
            found += page.jobs
            store.add([a_job(), a_job()])
            if page.next is None:
                break
            page = store.find(status=Status.READY, limit=3, before=page.next)
        assert found == [job for job in jobs[::-1] if job.status is Status.READY]

    def test_an_empty_store_counts_zero_of_each_status(self, store: Store) -> None:
        assert store.counts() == dict.fromkeys(Status, 0)

    def test_jobs_are_counted_by_status(self, store: Store, clock: ManualClock) -> None:
        store.add([a_job(), a_job(), a_job(), a_job(run_after=NOON + SECOND), a_finished_job()])
        first, _ = take(store, clock.now(), greenlet=2)
        store.swap(first, first.after(Cancelled("no"), clock.now()))
        assert store.counts() == {
            Status.READY: 2,
            Status.RUNNING: 1,
            Status.SUCCESSFUL: 1,
            Status.FAILED: 0,
            Status.CANCELLED: 1,
        }

    def test_only_what_finished_before_then_is_pruned(self, store: Store) -> None:
        old = [
            a_finished_job(status=status, finished_at=NOON - 1)
            for status in (Status.SUCCESSFUL, Status.FAILED, Status.CANCELLED)
        ]
        kept = [
            a_finished_job(finished_at=NOON),
            a_job(),
            a_job(run_after=NOON + SECOND),
            a_job().claimed(store.worker, NOON - HOUR),
        ]
        store.add([*old, *kept])
        assert store.prune(NOON, 10) == 3
        assert everything(store) == kept[::-1]

    def test_pruned_jobs_are_gone_for_good(self, store: Store) -> None:
        job = a_finished_job()
        store.add([job])
        store.prune(NOON + HOUR, 10)
        assert store.get(job.id) is None
        assert store.counts() == dict.fromkeys(Status, 0)
        assert store.prune(NOON + HOUR, 10) == 0

    def test_no_more_are_pruned_than_asked_for_and_the_oldest_first(self, store: Store) -> None:
        jobs = [a_finished_job(finished_at=NOON + number) for number in (3, 1, 2)]
        store.add(jobs)
        assert store.prune(NOON + HOUR, 2) == 2
        assert everything(store) == [jobs[2]]

    def test_what_was_run_again_is_not_pruned(self, store: Store, clock: ManualClock) -> None:
        first, second = a_finished_job(), a_finished_job()
        store.add([first, second])
        for job in (first, second):
            store.swap(job, job.again(clock.now()))
        clock.advance(2)
        (running,) = take(store, clock.now(), greenlet=1)
        store.swap(running, running.after(Succeeded(None), clock.now()))
        assert store.prune(NOON + SECOND, 10) == 0
        assert store.counts()[Status.SUCCESSFUL] == 1
        assert store.prune(NOON + HOUR, 10) == 1
        assert store.get(second.id) is not None
