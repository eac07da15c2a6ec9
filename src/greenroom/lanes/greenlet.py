"""The greenlet lane: tasks that wait for the network more than they compute.

Worker greenlets stay and tasks come to them: a fresh greenlet costs an mmap and a munmap (15 us), a reused one
0.5 us. New work is started inside a time budget for each turn of the loop, because a hundred starts in a row
would be a hundred first slices in a row, and every request would wait for all of them.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from gevent import get_hub, getcurrent, spawn
from greenlet import greenlet

from greenroom._native import get_ident
from greenroom.lanes.base import Carry, LaneState, VolatileWork, Work
from greenroom.lanes.lot import lot_here

log = logging.getLogger("greenroom")

BUDGET = 0.002  # seconds of each loop turn for starting work
_lost: set[greenlet] = set()  # for good: when one is collected, GreenletExit is thrown into it, and it goes on
WINDOW = 0.005  # seconds: a claim, with its commit, takes about so long on a busy day


class GreenletLane:
    """Runs up to `size` things at once, each in a greenlet."""

    name = "greenlet"
    _carry: Carry | None = None  # for lanes that call tasks elsewhere than in their worker greenlet

    def __init__(self, size: int = 100) -> None:
        self.size = self.limit = size
        self.freed: Callable[[], object] = lambda: None
        self.turning: Callable[[], object] = lambda: None
        self.preempts_calls = True
        self._hub = get_hub()
        self._home = get_ident()
        self._lot = lot_here()
        self._jobs: deque[Work] = deque()
        self._calls: deque[VolatileWork] = deque()
        self._parked: list[greenlet] = []
        self._workers: set[greenlet] = set()
        self._running_jobs = 0
        self._running_calls = 0
        self._reserved = 0
        self._finishing = 0
        self._finished = self._finished_before = 0  # jobs in this window of time, and in the one before
        self._window_ends = 0.0
        self._turn_comes = False
        self._turn_ends = 0.0
        self._next_turn = self._hub.loop.timer(0)

    @property
    def running(self) -> int:
        return self._running_jobs + self._running_calls

    @property
    def room(self) -> int:
        jobs = self._running_jobs + len(self._jobs) + self._reserved
        calls = min(self._running_calls + len(self._calls), self.limit // 2)
        return max(0, self.limit + self.ahead - jobs - calls)

    @property
    def ahead(self) -> int:
        """How many jobs may be claimed beyond the slots: as many as lately finished while a claim is under way.

        Short jobs would otherwise spend most of their slot's time waiting for the disk; of long ones none is
        taken ahead of its turn.
        """
        now = time.perf_counter()
        if now >= self._window_ends:
            is_next = now < self._window_ends + WINDOW
            self._finished_before = min(self._finished, self.limit) if is_next else 0
            self._finished = 0
            self._window_ends = now + WINDOW
        return self._finished_before

    def reserve(self, slots: int) -> None:
        self._reserved += slots

    def start(self, job: Work) -> None:
        self._jobs.append(job)
        if not self._turn_comes:
            self._turn_comes = True
            self._schedule()

    def call(self, call: VolatileWork) -> None:
        self._calls.append(call)
        if not self._turn_comes:
            if get_ident() == self._home:
                self._turn_comes = True
                self._schedule()
            else:
                self._hub.loop.run_callback_threadsafe(self._ask_for_turn)

    def resize(self, limit: int) -> None:
        is_more, self.limit = limit > self.limit, limit
        if is_more:
            self._ask_for_turn()
            self.freed()

    def state(self) -> LaneState:
        return LaneState(self.size, self.limit, self.running, len(self._jobs) + len(self._calls))

    def is_empty(self) -> bool:
        waiting = self._jobs or self._calls or self._reserved
        return not (waiting or self._running_jobs or self._running_calls or self._finishing)

    def abandon(self) -> list[VolatileWork]:
        calls = list(self._calls)
        self._calls.clear()
        return calls

    def lose(self, work: Work, greenlet: Any, *, is_call: bool) -> None:
        self._lot.forget(greenlet)
        _lost.add(greenlet)
        if is_call:
            self._running_calls -= 1
        else:
            self._running_jobs -= 1
        self._finishing += 1
        spawn(self._finish, work)
        self._ask_for_turn()
        self.freed()

    def close(self) -> None:
        """What was put aside while it computed is never gone on with: nothing would put it aside again."""
        for worker in self._workers:
            if self._lot.forget(worker):
                log.warning("lane %r: something computes on while the room stops, and is left where it is", self.name)
                _lost.add(worker)

    def forsake(self) -> None:
        """What waits in a task of the parent's, in gevent's own primitives, is beyond our reach, and goes on here."""
        self._jobs.clear()
        self._calls.clear()
        self.size = self.limit = 0
        self._next_turn.stop()
        for worker in self._workers:
            if self._lot.forget(worker):
                _lost.add(worker)

    def _schedule(self) -> None:
        """See to it that `_take_turn` is called, soon, by the hub."""
        self._hub.loop.run_callback(self._take_turn)

    def _schedule_next(self) -> None:
        """The same, once others have had their turn."""
        # A timer and not a callback: fifty callbacks are run before the loop looks at its sockets.
        self._next_turn.start(self._take_turn, update=False)

    def _ask_for_turn(self) -> None:
        if not self._turn_comes and (self._jobs or self._calls):
            self._turn_comes = True
            self._schedule_next()

    def _take_turn(self) -> None:
        """Start what waits, until the slots or the budget of this loop turn are used up. Runs in the hub."""
        self._turn_comes = False
        self.turning()
        self._turn_ends = time.perf_counter() + BUDGET
        put_aside = len(self._lot)
        while (self._jobs or self._calls) and self._running_jobs + self._running_calls < self.limit:
            # What was put aside has had a slice: another one, and requests would wait for both.
            if time.perf_counter() >= self._turn_ends or len(self._lot) > put_aside:
                self._ask_for_turn()
                return
            self._resume_worker()

    def _resume_worker(self) -> None:
        self._lot.begun_at = time.perf_counter()
        (self._parked.pop() if self._parked else greenlet(self._work, self._hub)).switch()
        self._lot.beginner = None  # it may come back in this turn, and what others did meanwhile is not its own

    def _work(self) -> None:
        """A worker's life: take what waits, run it, park when the turn is over or nothing waits."""
        me = getcurrent()
        self._workers.add(me)
        try:
            self._serve(me)
        finally:
            self._workers.discard(me)

    def _serve(self, me: Any) -> None:
        while True:
            while self._jobs or self._calls:
                if self._running_jobs + self._running_calls >= self.limit:
                    break
                self._lot.beginner = me
                if not self._run_one():
                    return
                self._lot.begun_at = now = time.perf_counter()
                if now >= self._turn_ends:
                    self._ask_for_turn()
                    break
            self._lot.beginner = None
            if len(self._parked) >= self.size:
                return
            self._parked.append(me)
            self._hub.switch()

    def _run_one(self) -> bool:
        """Run the next thing; False if it took so long to end that this worker was given up meanwhile."""
        # Jobs and calls in turn, when both wait: neither can keep the other out.
        if self._jobs and (not self._calls or self._running_jobs <= self._running_calls):
            work: Work = self._jobs.popleft()
            self._running_jobs += 1
            work.run(self._carry)
            if _lost and self._is_lost():
                return False
            self._running_jobs -= 1
            self._finished += 1
        else:
            work = self._calls.popleft()
            self._running_calls += 1
            work.run(self._carry)
            if _lost and self._is_lost():
                return False
            self._running_calls -= 1
        self.freed()
        self._finishing += 1
        self._finish(work)
        return True

    def _finish(self, work: Work) -> None:
        work.finish()
        self._finishing -= 1

    def _is_lost(self) -> bool:
        me = getcurrent()
        is_lost = me in _lost
        _lost.discard(me)
        return is_lost
