# ruff: noqa: S101 - a test is its name and what it asserts
"""Ticking: of all processes that have a slot to enqueue, one does, and its job comes with the mark or not at all."""

from __future__ import annotations

import pytest
from gevent import joinall, spawn

from greenroom.clock import SECOND
from greenroom.errors import StoreError
from greenroom.stores.base import Mark, Store, Tick
from greenroom.testing._workers import MakeStore, Workers, everything
from greenroom.testing.jobs import NOON, a_job, a_mark


class Ticking(Workers):
    """A store marks which slots have been enqueued."""

    def test_a_store_begins_without_marks(self, store: Store) -> None:
        assert store.marks() == []

    def test_marks_are_listed_by_name(self, store: Store) -> None:
        marks = [a_mark(name=name, slot=slot) for name, slot in (("b", None), ("a", NOON), ("C", 0))]
        assert store.tick([Tick(None, mark) for mark in marks]) == [True, True, True]
        assert store.marks() == [marks[2], marks[1], marks[0]]

    def test_a_mark_that_is_there_is_not_added(self, store: Store, sibling: Store) -> None:
        mark = a_mark()
        store.tick([Tick(None, mark)])
        assert sibling.tick([Tick(None, mark._replace(slot=NOON), [a_job()])]) == [False]
        assert (store.marks(), everything(store)) == ([mark], [])

    def test_a_slot_is_enqueued_once(self, store: Store, sibling: Store) -> None:
        mark, job = a_mark(), a_job(run_after=NOON + SECOND)
        store.tick([Tick(None, mark)])
        new = mark._replace(slot=NOON)
        assert store.tick([Tick(mark, new, [job])]) == [True]
        assert sibling.tick([Tick(mark, new, [a_job()])]) == [False]
        assert (sibling.marks(), everything(sibling)) == ([new], [job])

    @pytest.mark.parametrize("known", [a_mark(slot=NOON), a_mark(course="[1]"), a_mark(definition="other")])
    def test_a_mark_that_was_changed_in_anything_is_not_moved(self, store: Store, known: Mark) -> None:
        mark = a_mark()
        store.tick([Tick(None, mark)])
        assert store.tick([Tick(known, mark._replace(slot=1)), Tick(known, None)]) == [False, False]
        assert store.marks() == [mark]

    def test_a_dropped_mark_is_gone_and_may_be_added_anew(self, store: Store) -> None:
        mark = a_mark()
        store.tick([Tick(None, mark)])
        assert store.tick([Tick(mark, None), Tick(mark, mark), Tick(None, mark), Tick(None, None)]) == [
            True,
            False,
            True,
            False,
        ]
        assert store.marks() == [mark]

    def test_one_tick_sees_what_the_one_before_did(self, store: Store) -> None:
        first = a_mark()
        second = first._replace(slot=NOON)
        jobs = [a_job(), a_job(), a_job()]
        ticks = [Tick(None, first, jobs[:1]), Tick(first, second, jobs[1:2]), Tick(first, second, jobs[2:])]
        assert store.tick(ticks) == [True, True, False]
        assert (store.marks(), everything(store)) == ([second], jobs[1::-1])

    def test_a_mark_stays_where_it_was_if_its_job_cannot_be_stored(self, store: Store) -> None:
        mark, job = a_mark(), a_job()
        store.add([job])
        store.tick([Tick(None, mark)])
        with pytest.raises(StoreError, match="id is used once"):
            store.tick([Tick(mark, mark._replace(slot=NOON), [job])])
        assert store.marks() == [mark]

    def test_of_many_at_the_same_time_one_ticks(self, store: Store, make_store: MakeStore) -> None:
        workers = [make_store() for _ in range(4)]
        for worker in workers:
            worker.open()
        mark = a_mark()
        store.tick([Tick(None, mark)])
        ticks = [Tick(mark, mark._replace(slot=NOON), [a_job()]) for _ in workers]
        asking = [spawn(worker.tick, [tick]) for worker, tick in zip(workers, ticks, strict=True)]
        joinall(asking, raise_error=True)
        assert sorted(greenlet.value for greenlet in asking) == [[False], [False], [False], [True]]
        assert len(everything(store)) == 1
        for worker in workers:
            worker.close()
