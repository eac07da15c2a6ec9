# ruff: noqa: S101 - what does not agree fails the test
"""A pair: one worker twice, in the memory store, which is the model, and in the store under test."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from greenroom.clock import Clock
from greenroom.errors import LeaseLost, StoreError, StoreUnavailable
from greenroom.job import Job
from greenroom.stores.base import LEASE, Claimed, Lost, Page, Store
from greenroom.stores.memory import MemoryStore

Verb = Callable[[Store, Callable[[Job], Job]], Any]


class Numbers:
    """Which worker of the store is which of the model: a store may number its workers as it likes."""

    def __init__(self) -> None:
        self._theirs: dict[int | None, int | None] = {None: None}
        self._ours: dict[int | None, int | None] = {None: None}

    def note(self, ours: int, theirs: int) -> None:
        assert self._theirs.get(ours, theirs) == theirs, f"worker {ours} changed its number"
        assert self._ours.get(theirs, ours) == ours, f"the number {theirs} was given to two workers"
        self._theirs[ours], self._ours[theirs] = theirs, ours

    def theirs(self, job: Job) -> Job:
        """The model's job as the store has it."""
        return job._replace(worker=self._theirs[job.worker])

    def ours(self, answer: Any) -> Any:
        """The store's answer as the model would give it."""
        match answer:
            case Job(worker=worker):
                return answer._replace(worker=self._ours.get(worker, -1))
            case Claimed(jobs):
                return answer._replace(jobs=self.ours(jobs))
            case Lost(job):
                return answer._replace(job=self.ours(job))
            case Page(jobs, following):
                return Page(self.ours(jobs), following)
            case list():
                return [self.ours(job) for job in answer]
        return answer


class Pair:
    """Two workers that are asked the same, and must answer the same.

    A frozen one is not heard of until it is asked again: nobody renews its lease.
    """

    def __init__(self, model: MemoryStore, store: Store, *, clock: Clock, numbers: Numbers) -> None:
        self.model = model
        self.store = store
        self.is_frozen = False
        self._clock = clock
        self._numbers = numbers
        self._renewed_at = 0

    def open(self) -> None:
        self.model.open()
        self.store.open()
        self._numbers.note(self.model.worker, self.store.worker)
        self._renewed_at = self._clock.now()

    def close(self) -> None:
        self.is_frozen = False
        self.model.close()
        self.store.close()

    def ask(self, verb: Verb) -> Any:
        """Do the same on both sides, and compare what comes of it."""
        worker = self.model.worker
        expected = _answer(verb, self.model, _as_it_is)
        answer = _answer(verb, self.store, self._numbers.theirs)
        if self.model.worker != worker:
            self._numbers.note(self.model.worker, self.store.worker)
            self._renewed_at = self._clock.now()
        assert self._numbers.ours(answer) == expected
        if self.is_frozen:
            # Whether a store renews its lease by itself when it is used is its own affair.
            self.is_frozen = False
            self.renew()
        return expected

    def swap(self, old: Job, new: Job) -> bool:
        return self.ask(lambda store, theirs: store.swap(theirs(old), theirs(new))) is True

    def swap_all(self, changes: list[tuple[Job, Job]]) -> None:
        self.ask(lambda store, theirs: store.swap_all([(theirs(old), theirs(new)) for old, new in changes]))

    def renew(self) -> None:
        until = self._clock.now() + LEASE
        self.ask(lambda store, _: store.renew(until))
        self._renewed_at = self._clock.now()

    def renew_in_time(self) -> None:
        if not self.is_frozen and self._clock.now() - self._renewed_at >= LEASE // 3:
            self.renew()

    def freeze(self) -> None:
        """Fall silent, with the whole of a lease to go."""
        if not self.is_frozen:
            self.renew()
            self.is_frozen = True


def _as_it_is(job: Job) -> Job:
    return job


def _answer(verb: Verb, store: Store, theirs: Callable[[Job], Job]) -> Any:
    try:
        return verb(store, theirs)
    except LeaseLost:
        return LeaseLost
    except StoreUnavailable:
        return StoreUnavailable
    except StoreError:
        return StoreError
