# ruff: noqa: S101 - a test is its name and what it asserts, and an expected value is a number
"""Hearing: what one worker does is told to the others, so that they need not look again and again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing

import pytest
from gevent import Timeout
from gevent.event import Event

from greenroom.clock import SECOND, ManualClock
from greenroom.outcome import Cancelled, Released, Retried, Succeeded
from greenroom.stores.base import News, Store, Tick
from greenroom.testing._workers import MakeStore, Workers, take
from greenroom.testing.jobs import NOON, a_job, a_mark, an_error

PATIENCE = 20.0


class Ear:
    """Gathers what a worker is told."""

    def __init__(self, store: Store) -> None:
        self._event = Event()
        self.news = News()
        store.listen(self._hear)

    def until(self, is_told: Callable[[News], bool]) -> News:
        """All that has been told, once that is enough."""
        with Timeout(PATIENCE, AssertionError("not told of")):
            while not is_told(self.news):
                self._event.wait()
                self._event.clear()
        return self.news

    def _hear(self, news: News) -> None:
        self.news |= news
        self._event.set()


def is_in_doubt(news: News) -> bool:
    """Whether the machine is so busy that a worker was told meanwhile that anything may have changed."""
    return news.changed is None


class Hearing(Workers):
    """A worker hears of what others do."""

    @pytest.fixture
    def ear(self, store: Store, make_store: MakeStore) -> Iterator[Ear]:
        """Of a third worker, which is open."""
        with closing(make_store()) as listener:
            ear = Ear(listener)
            listener.open()
            yield ear

    def test_a_job_that_is_ready_is_told_of(self, store: Store, ear: Ear) -> None:
        store.add([a_job()])
        news = ear.until(lambda news: news.due is not None)
        assert news.due is not None
        assert news.due <= NOON

    def test_it_is_told_when_a_later_job_falls_due(self, store: Store, ear: Ear) -> None:
        store.add([a_job(run_after=NOON + 9 * SECOND), a_job(run_after=NOON + 5 * SECOND)])
        news = ear.until(lambda news: news.due is not None)
        assert news.due is not None
        assert news.due <= NOON + 5 * SECOND

    def test_a_job_that_has_finished_is_told_of(self, store: Store, ear: Ear, clock: ManualClock) -> None:
        running = [a_job().claimed(store.worker, clock.now()) for _ in range(2)]
        store.add(running)
        store.swap_all([(job, job.after(Succeeded(1), clock.now())) for job in running])
        ear.until(lambda news: news.changed is None or {job.id for job in running} <= news.changed)

    def test_so_is_one_that_was_cancelled_before_it_began(self, store: Store, ear: Ear, clock: ManualClock) -> None:
        store.add([job := a_job()])
        store.swap(job, job.after(Cancelled("no"), clock.now()))
        ear.until(lambda news: news.changed is None or job.id in news.changed)

    def test_a_job_that_comes_with_a_tick_is_told_of(self, store: Store, ear: Ear) -> None:
        store.tick([Tick(None, a_mark(), [a_job()])])
        ear.until(lambda news: news.due is not None)

    def test_a_mark_that_came_or_went_or_is_defined_anew_is_told_of(self, store: Store, ear: Ear) -> None:
        mark = a_mark()
        defined_anew = mark._replace(definition="{}")
        for tick in (Tick(None, mark), Tick(mark, defined_anew), Tick(defined_anew, None)):
            ear.news = News()
            store.tick([tick])
            ear.until(lambda news: news.is_rescheduled)

    def test_that_the_next_slot_was_enqueued_is_told_by_its_jobs_alone(self, store: Store, ear: Ear) -> None:
        mark = a_mark()
        store.tick([Tick(None, mark)])
        before = ear.until(lambda news: news.is_rescheduled)
        ear.news = News()
        store.tick([Tick(mark, mark._replace(slot=NOON), [a_job()])])
        news = ear.until(lambda news: news.due is not None)
        assert not news.is_rescheduled or is_in_doubt(before | news)

    @pytest.mark.parametrize("outcome", [Released(NOON), Retried(NOON, an_error())], ids=["released", "retried"])
    def test_a_job_that_is_given_back_is_told_of(
        self, store: Store, ear: Ear, clock: ManualClock, outcome: Released | Retried
    ) -> None:
        running = a_job().claimed(store.worker, clock.now())
        store.add([running])
        store.swap(running, running.after(outcome, clock.now()))
        news = ear.until(lambda news: news.due is not None)
        assert news.due is not None
        assert news.due <= NOON

    def test_a_running_job_that_is_called_off_is_told_of(self, store: Store, sibling: Store, ear: Ear) -> None:
        store.add([a_job()])
        (running,) = take(store, NOON)
        sibling.swap(running, running.call_off("no need"))
        ear.until(lambda news: news.changed is None or running.id in news.changed)

    def test_a_worker_that_has_gone_is_told_of(self, sibling: Store, ear: Ear) -> None:
        sibling.close()
        ear.until(lambda news: news.has_left)

    def test_what_a_worker_takes_on_itself_is_not_told_of(self, store: Store, ear: Ear, clock: ManualClock) -> None:
        store.add([job := a_job().claimed(store.worker, clock.now())])
        store.swap(job, job.after(Succeeded(1), clock.now()))
        news = ear.until(lambda news: news.changed != frozenset())
        assert news.due is None or is_in_doubt(news)

    def test_a_worker_does_not_hear_of_itself(self, store: Store, make_store: MakeStore, clock: ManualClock) -> None:
        with closing(make_store()) as speaker, closing(make_store()) as other:
            own, others = Ear(speaker), Ear(other)
            speaker.open()
            other.open()
            speaker.add([a_job()])
            others.until(lambda news: news.due is not None)
            assert own.news.due is None or is_in_doubt(own.news)

    def test_who_is_closed_hears_nothing_more(self, store: Store, ear: Ear, make_store: MakeStore) -> None:
        former = make_store()
        its_ear = Ear(former)
        former.open()
        former.close()
        its_ear.news = News()
        store.add([a_job()])
        ear.until(lambda news: news.due is not None)
        assert its_ear.news == News()
