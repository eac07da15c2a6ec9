"""A desk: a native thread that serves requests in batches, so that the hub is never held up.

    greenlets ──append──> deque ──ring──> ONE native thread: serve(those that are waiting)
       ^ parked                                │
       └──── one async wake-up per batch ──────┘

There is no artificial delay: while one batch is being served, the next one gathers. Of a crowd half is served at
a time, so that thread and hub work side by side: with all at once, the hub would have nothing to do meanwhile, and
the thread nothing while the hub wakes them and they ask again. Only where serving is mostly waiting, as for a slow
disk, are they served together.

Only deque ends and `async_.send()` cross the border between hub and thread (a swapped list loses items: an append
to the old list can come after the swap). After patching `threading` and `queue` are gevent's, so the originals are
taken.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from sys import is_finalizing
from typing import Any, ClassVar, Generic, TypeVar

from gevent import get_hub, getcurrent

from greenroom._native import allocate_lock, get_ident, start_thread
from greenroom.clock import SystemClock
from greenroom.errors import StoreUnavailable

BATCH = 1000
BUDGET = 0.002  # seconds of each loop turn for those who wake and go on
_TRY_AGAIN = 1.0  # seconds after housekeeping that failed
_CROWD = 32  # requests: to part fewer costs more than is gained
_QUICK = 60e-6  # seconds for each of a batch; beyond that it is mostly waiting

A = TypeVar("A")
log = logging.getLogger("greenroom.store")


class Request(Generic[A]):
    """Something asked of a desk, and what came of it."""

    answer: A
    is_urgent: ClassVar[bool] = False  # whether it is answered before the others of its batch
    is_served = False
    error: BaseException | None = None
    greenlet: Any = None
    lock: Any = None


class Errand(Request[A]):
    """Something to be done on the desk's thread by itself, between batches."""

    def __init__(self, work: Callable[[], A]) -> None:
        self.work = work


class Desk:
    """Serves requests in the order they came, on a thread of its own.

    `serve` is given what waits, up to BATCH requests, and puts `answer` or `error` on each. `idle` is called on
    the same thread after each batch, and says within how many seconds it wants to be called again (None: with the
    next batch will do), so that a process at rest is not woken for nothing.
    """

    def __init__(
        self,
        serve: Callable[[list[Any]], None],
        *,
        name: str,
        idle: Callable[[], float | None] = lambda: None,
    ) -> None:
        self._serve = serve
        self._name = name
        self._idle = idle
        self._waiting: deque[Request[Any]] = deque()
        self._served: deque[Request[Any]] = deque()
        self._bell = allocate_lock()
        self._bell.acquire()
        self._ended = allocate_lock()
        self._ended.acquire()
        self._closing = False
        self._is_over = False
        self._is_quick = True
        self._thread = 0  # that serves, once it does
        self._clock = SystemClock()
        self._hub = get_hub()
        self._next_turn = self._hub.loop.timer(0)
        self._home = get_ident()
        self._doorbell = self._hub.loop.async_()
        self._doorbell.start(self._deliver)
        start_thread(self._work)

    def ask(self, request: Request[A]) -> A:
        """Wait for the answer: parked if this is a greenlet of the desk's own hub, blocked if another thread."""
        if self._closing or is_finalizing():  # as Python ends, no other thread gets to run
            raise self._closed()
        if get_ident() != self._home:
            self._block(request)
        else:
            request.greenlet = getcurrent()
            if request.greenlet is self._hub:
                raise StoreUnavailable(
                    f"{self._name} was asked from the event loop itself, which cannot wait. "
                    "Call it in a greenlet: room.spawn(task.enqueue, ...)."
                )
            self._waiting.append(request)
            if self._bell.locked():
                self._ring()
            try:
                while not request.is_served:
                    self._hub.switch()
            finally:
                # Killed or timed out meanwhile: it may still be served, and nobody must be woken for it.
                request.greenlet = None
        if request.error is not None:
            raise request.error
        return request.answer

    def run(self, work: Callable[[], A]) -> A:
        """Have `work` done on the desk's thread, after what was asked before."""
        return self.ask(Errand(work))

    def stir(self) -> None:
        """Have `idle` called soon."""
        self._ring()

    def forsake(self) -> None:
        """This is a forked child, which has no copy of the thread."""
        self._closing = True
        self._next_turn.stop()
        self._doorbell.stop()

    def close(self) -> None:
        """Serve what waits, then end the thread. Must not be called on it."""
        if self._closing:
            return
        self._closing = True
        self._ring()
        self._ended.acquire()
        self._hub.loop.run_callback_threadsafe(self._deliver)  # the hub alone may switch to those who wait
        self._doorbell.stop()
        self._doorbell.close()

    def _block(self, request: Request[Any]) -> None:
        if get_ident() == self._thread:
            raise StoreUnavailable(
                f"{self._name} was asked on its own thread, which would wait for itself: by the __del__ of something "
                "that was collected there? Enqueue before that."
            )
        request.lock = allocate_lock()
        request.lock.acquire()
        self._waiting.append(request)
        self._ring()
        if self._is_over:
            self._turn_away()
        request.lock.acquire()

    def _ring(self) -> None:
        with suppress(RuntimeError):  # it rings already
            self._bell.release()

    def _work(self) -> None:
        self._thread = get_ident()
        pause = self._look_after()
        while not (self._closing and not self._waiting):
            if not self._waiting:
                self._bell.acquire(True, -1 if pause is None else pause)
            batch = self._next_batch()
            if batch:
                self._serve_all(batch)
            pause = self._look_after()
        self._is_over = True
        self._turn_away()
        self._ended.release()

    def _turn_away(self) -> None:
        # A native thread may have asked while the desk closed. Whoever pops its request answers it: the
        # desk's thread, or the asker itself.
        while self._waiting:
            try:
                request = self._waiting.popleft()
            except IndexError:
                return
            request.error = self._closed()
            self._hand_back([request])

    def _closed(self) -> StoreUnavailable:
        return StoreUnavailable(f"{self._name} is closed: nothing can be stored or read any more.")

    def _next_batch(self) -> list[Request[Any]]:
        take, number = self._waiting.popleft, len(self._waiting)
        if number > _CROWD and self._is_quick:
            # Those who were served just now are about to ask again: all of them together are the crowd.
            number = min(number, (number + len(self._served) + 1) // 2)
        batch = [take() for _ in range(min(number, BATCH))]
        if Errand in map(type, batch):
            first = next(n for n, request in enumerate(batch) if type(request) is Errand)
            cut = first or 1  # an errand is done by itself
            self._waiting.extendleft(reversed(batch[cut:]))
            del batch[cut:]
        return batch

    def _serve_all(self, batch: list[Request[Any]]) -> None:
        try:
            if type(batch[0]) is Errand:
                batch[0].answer = batch[0].work()
            else:
                began = self._clock.monotonic()
                self._serve(batch)
                self._is_quick = self._clock.monotonic() - began < _QUICK * len(batch)
        except BaseException as error:  # noqa: BLE001  (whoever asked is told, and raises it)
            for request in batch:
                request.error = request.error or error
        self._hand_back(batch)
        if self._served:
            self._doorbell.send()

    def _hand_back(self, batch: Iterable[Request[Any]]) -> None:
        for request in batch:
            request.is_served = True
            if request.lock is not None:
                request.lock.release()
            elif request.is_urgent:
                self._served.appendleft(request)
            else:
                self._served.append(request)

    def _look_after(self) -> float | None:
        try:
            return self._idle()
        except Exception:
            log.exception("%s: housekeeping failed, and will be tried again", self._name)
            return _TRY_AGAIN

    def _deliver(self) -> None:
        """Wake those who were served, one after the other, for a while; then let the loop turn once."""
        served, time = self._served, self._clock.monotonic
        ends = time() + BUDGET
        while served:
            greenlet = served.popleft().greenlet
            if greenlet is not None:
                greenlet.switch()
                if time() > ends and served:
                    self._next_turn.start(self._deliver, update=False)
                    return
