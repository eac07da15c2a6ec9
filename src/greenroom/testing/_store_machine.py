# ruff: noqa: S101 - a rule is its name, and what does not agree fails the test
"""The store machine: whatever is done to a store, in whatever order, it does what MemoryStore does.

After each step the answers and all that is stored must be equal. Whoever writes a store runs it:

    TestRedisAgrees = store_machine(lambda clock: partial(RedisStore, fresh_url(), clock=clock))
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar, TypeVar
from unittest import TestCase

from gevent import joinall, spawn
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from greenroom.clock import SECOND, ManualClock
from greenroom.job import SUSPICIOUS, Job, Progress, Status
from greenroom.outcome import Crashed, Outcome, Released, Retried
from greenroom.stores.base import LEASE, Claim, Mark, Page, Store, Tick
from greenroom.stores.memory import MemoryStore
from greenroom.testing._draws import (
    ANY,
    CRASHES,
    DELAYS,
    LANES,
    OUTCOMES,
    PRIORITIES,
    SLOTS,
    SOME_SHAPES,
    Shape,
    outcome_of,
)
from greenroom.testing._pair import Numbers, Pair
from greenroom.testing._workers import MakeStore
from greenroom.testing.jobs import a_job, a_mark

T = TypeVar("T")
Place = Callable[[ManualClock], MakeStore]

STEPS = int(os.environ.get("GREENROOM_STEPS", "20000"))
STEPS_EACH = 50  # of one example
WORKERS = 4
MANY = 10_000  # more than there will be
KEPT = 300  # versions gone by that are still tried


class StoreMachine(RuleBasedStateMachine):
    """Plays with up to four workers on one set of jobs, and with the same in the model."""

    steps: ClassVar[int] = 0

    def __init__(self) -> None:
        super().__init__()
        self.clock = ManualClock()
        self.numbers = Numbers()
        self.make_model = MemoryStore(clock=self.clock).sibling
        self.make_store = self.place(self.clock)
        self.jobs: list[Job] = []
        self.past: list[Job] = []
        self.marks: list[Mark] = []  # all that ever were
        self.used: set[int] = set()
        self.closed: list[Pair] = []
        self.workers: list[Pair] = []
        for _ in range(2):
            self.another_opens()

    def place(self, clock: ManualClock) -> MakeStore:
        raise NotImplementedError

    @invariant()
    def both_hold_the_same(self) -> None:
        type(self).steps += 1
        reader = self.workers[0]
        self.jobs = reader.model.find(limit=MANY).jobs
        assert self.numbers.ours(reader.store.find(limit=MANY).jobs) == self.jobs
        assert reader.store.counts() == reader.model.counts()
        assert reader.store.marks() == reader.model.marks()
        self.past = [*self.past, *self.jobs][-KEPT:]
        self.used.update(job.id for job in self.jobs)

    @rule(worker=ANY, jobs=SOME_SHAPES)
    def add(self, worker: int, jobs: list[Shape]) -> None:
        pair = self._worker(worker)
        new = [self._make(pair, shape) for shape in jobs]
        pair.ask(lambda store, theirs: store.add([theirs(job) for job in new]))

    @rule(worker=ANY, other=ANY)
    def add_what_another_claimed(self, worker: int, other: int) -> None:
        number = max((job.id for job in self.past), default=1) + 1
        claimed = a_job(id=number).claimed(self._worker(other).model.worker, self.clock.now())
        self._worker(worker).ask(lambda store, theirs: store.add([theirs(claimed)]))

    @rule(worker=ANY, greenlet=SLOTS, idle=SLOTS)
    def claim(self, worker: int, greenlet: int, idle: int) -> None:
        claim = Claim(self.clock.now(), {"greenlet": greenlet, "idle": idle})
        self._worker(worker).ask(lambda store, _: store.claim(claim))

    @rule(worker=ANY, ahead=st.sampled_from([1, SECOND]))
    def claim_ahead(self, worker: int, ahead: int) -> None:
        claim = Claim(self.clock.now(), {"greenlet": MANY, "idle": MANY}, ahead)
        self._worker(worker).ask(lambda store, _: store.claim(claim))

    @rule(worker=ANY, slots=SLOTS)
    def claim_a_suspect(self, worker: int, slots: int) -> None:
        claim = Claim(self.clock.now(), {"greenlet": slots}, suspect=True)
        self._worker(worker).ask(lambda store, _: store.claim(claim))

    @rule(worker=ANY, jobs=SOME_SHAPES)
    def take_suspects(self, worker: int, jobs: list[Shape]) -> None:
        """Several come at once, and are taken one after the other."""
        pair = self._awake(worker)
        made = [self._make(pair, shape._replace(status=Status.READY)) for shape in jobs]
        suspects = {job.id: job._replace(crashes=SUSPICIOUS) for job in made}
        pair.ask(lambda store, theirs: store.add([theirs(job) for job in suspects.values()]))
        for _ in suspects:
            self.claim_a_suspect(worker=worker, slots=1)

    @rule(worker=ANY, slots=SLOTS, outcome=OUTCOMES, delay=DELAYS)
    def work(self, worker: int, slots: int, outcome: type[Outcome], delay: int) -> None:
        """Claim, and settle half of what was claimed."""
        pair = self._awake(worker)
        claim = Claim(self.clock.now(), {"idle": slots, "greenlet": slots})
        for old in pair.ask(lambda store, _: store.claim(claim)).jobs[::2]:
            pair.swap(old, old.after(self._come_to(outcome, delay), self.clock.now()))

    @rule(worker=ANY, job=ANY, early=st.sampled_from([0, 0, 1]), slots=SLOTS)
    def claim_when_one_falls_due(self, worker: int, job: int, early: int, slots: int) -> None:
        now = self.clock.now()
        later = [job for job in self.jobs if job.status is Status.READY and job.run_after > now]
        for waiting in self._any_of(later, job):
            self._pass_time((waiting.run_after - now - early) / SECOND)
            self.claim(worker=worker, greenlet=slots, idle=slots)

    @rule(worker=ANY, job=ANY, outcome=OUTCOMES, delay=DELAYS)
    def settle(self, worker: int, job: int, outcome: type[Outcome], delay: int) -> None:
        for old in self._any_of(self.jobs, job):
            self._worker(worker).swap(old, old.after(self._come_to(outcome, delay), self.clock.now()))

    @rule(worker=ANY, job=ANY, outcome=OUTCOMES)
    def settle_what_may_be_long_past(self, worker: int, job: int, outcome: type[Outcome]) -> None:
        for old in self._any_of(self.past, job):
            self._worker(worker).swap(old, old.after(self._come_to(outcome, 0), self.clock.now()))

    @rule(worker=ANY, job=ANY)
    def run_again(self, worker: int, job: int) -> None:
        for old in self._any_of([job for job in self.jobs if job.is_finished], job):
            self._worker(worker).swap(old, old.again(self.clock.now()))

    @rule(worker=ANY, job=ANY, lane=LANES, priority=PRIORITIES, delay=DELAYS, crashes=CRASHES)
    def change(self, worker: int, job: int, lane: str, delay: int, **changes: Any) -> None:
        for old in self._any_of(self.jobs, job):
            new = old._replace(
                lane=lane,
                run_after=self.clock.now() + delay,
                progress=Progress(delay, None, lane),
                version=old.version + 1,
                **changes,  # of priority and crashes
            )
            self._worker(worker).swap(old, new)

    @rule(worker=ANY, jobs=st.lists(ANY, max_size=4), outcome=OUTCOMES)
    def settle_several(self, worker: int, jobs: list[int], outcome: type[Outcome]) -> None:
        olds = [old for job in jobs for old in self._any_of([*self.past, *self.jobs], -job)]
        now = self.clock.now()
        self._worker(worker).swap_all([(old, old.after(self._come_to(outcome, 0), now)) for old in olds])

    @rule(first=ANY, second=ANY, job=ANY, outcome=OUTCOMES)
    def two_settle_at_the_same_time(self, first: int, second: int, job: int, outcome: type[Outcome]) -> None:
        pairs = [self._awake(first), self._awake(second)]
        for old in self._any_of(self.jobs, job):
            new = old.after(self._come_to(outcome, 0), self.clock.now())
            pair_of_jobs = self.numbers.theirs(old), self.numbers.theirs(new)
            swapping = [spawn(pair.store.swap, *pair_of_jobs) for pair in pairs]
            joinall(swapping, raise_error=True)
            assert sorted(greenlet.value for greenlet in swapping) == [False, True]
            assert pairs[0].model.swap(old, new)

    @rule(worker=ANY, jobs=SOME_SHAPES, outcome=OUTCOMES)
    def much_at_the_same_time(self, worker: int, jobs: list[Shape], outcome: type[Outcome]) -> None:
        pair = self._awake(worker)
        taken = {job.id for job in self.jobs}
        new = {job.id: job for job in (self._make(pair, shape) for shape in jobs) if job.id not in taken}
        running = [job for job in self.jobs if job.status is Status.RUNNING][::2]
        swaps = [(old, old.after(self._come_to(outcome, 0), self.clock.now())) for old in running]
        theirs = self.numbers.theirs
        adding = [spawn(pair.store.add, [theirs(job)]) for job in new.values()]
        swapping = [spawn(pair.store.swap, theirs(old), theirs(new)) for old, new in swaps]
        joinall([*adding, *swapping], raise_error=True)
        pair.model.add([*new.values()])
        assert [greenlet.value for greenlet in swapping] == [pair.model.swap(*swap) for swap in swaps]

    @rule(worker=ANY, name=LANES, known=ANY, slot=st.sampled_from([None, 0, 1]), jobs=SOME_SHAPES)
    def tick(self, worker: int, name: str, known: int, slot: int | None, jobs: list[Shape]) -> None:
        """Move a mark from what it is, or once was; or add it."""
        pair = self._worker(worker)
        made = {job.id: job for job in (self._make(pair, shape) for shape in jobs)}
        new = [job for job in made.values() if job.status is not Status.RUNNING]
        olds = self._any_of([*self.marks, *pair.model.marks()] if pair.model.worker else [], -known - 1)
        old = olds[0] if olds and known % 4 else None
        mark = a_mark(name=old.name if old else name, slot=slot, course=f"[{known % 3}]")
        self.marks.append(mark)
        pair.ask(lambda store, theirs: store.tick([Tick(old, mark, [theirs(job) for job in new])]))

    @rule(worker=ANY, known=ANY)
    def tick_from_what_it_is_not(self, worker: int, known: int) -> None:
        """Move a mark from another course, from another slot, and from not being there."""
        pair = self._worker(worker)
        for mark in self._any_of(pair.model.marks() if pair.model.worker else [], known):
            slot = 2 if mark.slot is None else mark.slot + 1
            new = mark._replace(slot=slot + 1)
            for old in (mark._replace(course="[-1]"), mark._replace(slot=slot), None):
                pair.ask(partial(_tick, Tick(old, new)))

    @rule(worker=ANY, known=ANY)
    def drop_a_mark(self, worker: int, known: int) -> None:
        ticks = [Tick(old, None) for old in self._any_of(self.marks, known)]
        self._worker(worker).ask(lambda store, _: store.tick(ticks))

    @rule(seconds=st.sampled_from([0.000001, 1, 9, 10, 29, 31, 3600]))
    def time_passes(self, seconds: float) -> None:
        self._pass_time(seconds)

    @rule(worker=ANY)
    def freeze(self, worker: int) -> None:
        """Stop a worker, as a debugger or a sleeping laptop would; it thaws when something is asked of it."""
        if len([pair for pair in self.workers if not pair.is_frozen]) > 1:
            self._awake(worker).freeze()

    @rule()
    def another_opens(self) -> None:
        if len(self.workers) < WORKERS:
            if self.closed:
                pair = self.closed.pop(0)
            else:
                pair = Pair(self.make_model(), self.make_store(), clock=self.clock, numbers=self.numbers)
            pair.open()
            self.workers.append(pair)

    @rule(worker=ANY)
    def close(self, worker: int) -> None:
        pair = self._worker(worker)
        if [other for other in self.workers if other is not pair and not other.is_frozen]:
            self.workers.remove(pair)
            self.closed.append(pair)
            pair.close()
            pair.ask(lambda store, _: store.counts())

    @rule(worker=ANY, limit=st.integers(1, 5), outcome=st.sampled_from([Crashed, Retried, Released, None]))
    def rescue(self, worker: int, limit: int, outcome: type[Outcome] | None) -> None:
        pair = self._awake(worker)
        for lost, _ in pair.ask(lambda store, _: store.expired(self.clock.now(), limit)):
            if outcome is not None:
                assert pair.swap(lost, lost.after(self._come_to(outcome, 0), self.clock.now()))

    @rule(worker=ANY, rescuer=ANY)
    def declare_dead(self, worker: int, rescuer: int) -> None:
        """Freeze a worker until all of its jobs are in other hands."""
        self.freeze(worker=worker)
        self._pass_time(LEASE / SECOND + 1)
        for _ in range(3):
            self.rescue(worker=rescuer, limit=100, outcome=Released)

    @rule(worker=ANY, age=st.sampled_from([-1, 0, 1, SECOND, 3600 * SECOND]), limit=st.integers(1, 5))
    def prune(self, worker: int, age: int, limit: int) -> None:
        self._awake(worker).ask(lambda store, _: store.prune(self.clock.now() - age, limit))

    @rule(
        worker=ANY,
        status=st.one_of(st.none(), st.sampled_from(Status)),
        task=st.sampled_from([None, "app.send", "app.nothing"]),
        queue_name=st.sampled_from([None, "resize"]),
        crashed=st.booleans(),
        limit=st.integers(1, 3),
    )
    def find(self, worker: int, limit: int, **wanted: Any) -> None:
        pair, before = self._awake(worker), None
        wanted["limit"] = limit
        for known in self._any_of(self.past, limit):
            pair.ask(partial(_get, known.id))
        while True:
            page = pair.ask(partial(_find, wanted, before))
            before = page.next
            if before is None:
                break

    def teardown(self) -> None:
        for pair in self.workers:
            pair.close()

    def _pass_time(self, seconds: float) -> None:
        self.clock.advance(seconds)
        for pair in self.workers:
            pair.renew_in_time()

    def _worker(self, number: int) -> Pair:
        return self.workers[number % len(self.workers)]

    def _awake(self, number: int) -> Pair:
        awake = [pair for pair in self.workers if not pair.is_frozen]
        return awake[number % len(awake)]

    def _any_of(self, things: list[T], number: int) -> list[T]:
        return [things[number % len(things)]] if things else []

    def _make(self, pair: Pair, shape: Shape) -> Job:
        now = self.clock.now()
        gone = self.used.difference(job.id for job in self.jobs)
        return shape.make(now, worker=pair.model.worker, gone=gone)

    def _come_to(self, kind: type[Outcome], delay: int) -> Outcome:
        return outcome_of(kind, now=self.clock.now(), delay=delay)


def _get(job_id: int, store: Store, _: object) -> Job | None:
    return store.get(job_id)


def _find(wanted: dict[str, Any], before: int | None, store: Store, _: object) -> Page:
    return store.find(before=before, **wanted)


def _tick(tick: Tick, store: Store, _: object) -> list[bool]:
    return store.tick([tick])


def store_machine(place: Place, *, steps: int = STEPS) -> type[TestCase]:
    """Make the test that plays so many steps; the environment's GREENROOM_STEPS says otherwise.

    `place` is called for each example, with the clock to be used, on a new set of jobs; what it returns makes
    one more worker at each call: a store that is not yet open.
    """

    class Machine(StoreMachine):
        def place(self, clock: ManualClock) -> MakeStore:
            return place(clock)

    class Agreement(TestCase):
        machine = Machine
        settings: ClassVar = settings(
            stateful_step_count=STEPS_EACH, deadline=None, suppress_health_check=list(HealthCheck)
        )

        def runTest(self) -> None:  # noqa: N802  (unittest's name for it)
            while (left := steps - self.machine.steps) > 0:  # some examples end early
                run_state_machine_as_test(
                    self.machine, settings=settings(self.settings, max_examples=left // STEPS_EACH + 1)
                )

    return Agreement
