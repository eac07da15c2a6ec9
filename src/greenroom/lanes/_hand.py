"""A hand: a native thread that carries out errands, one after the other, until it has had none for a while.

After patching, whatever waits in it (sleep, sockets, locks) waits in a hub of the thread's own: that is closed with
the thread, or its file descriptors would leak.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from types import FrameType
from typing import Any

from gevent import get_hub, getcurrent

from greenroom._native import allocate_lock, get_ident, start_thread
from greenroom.lanes import _interval
from greenroom.lanes._trip import Trip, frames

PATIENCE = 30.0  # seconds without work after which a hand goes home


class Hand:
    """`returned` is called on the thread after each trip, and `gone` when the thread ends."""

    hub: Any = None
    greenlet: Any  # where the task's function is called
    ident: int
    trip: Trip | None = None  # what it is on just now
    _cpu: int | None = None  # the clock of what it computes, where there is such a clock

    def __init__(self, *, returned: Callable[[Hand, Trip], None], gone: Callable[[Hand], None]) -> None:
        self._returned = returned
        self._gone = gone
        self._orders: deque[Trip | None] = deque()
        self._lock = allocate_lock()
        self._bell = allocate_lock()
        self._bell.acquire()
        self._is_gone = False

    def start(self) -> None:
        start_thread(self._live)

    def give(self, trip: Trip | None) -> bool:
        """Have it carry this out next (None: go home); False if it has gone home by itself."""
        with self._lock:
            if self._is_gone:
                return False
            self._orders.append(trip)
        self._bell.release()
        return True

    def set_up(self) -> None:
        """Have a hub, for whatever waits. On the thread itself."""
        if self.hub is None:
            self.hub = get_hub()

    def frame(self, *, of_task: bool = False) -> FrameType | None:
        """What the thread runs now; or, while it waits in its hub, where the task does."""
        waiting: FrameType | None = self.greenlet.gr_frame if of_task else None
        return waiting or frames().get(self.ident)

    def computed(self) -> float:
        """Seconds that the thread has computed; 0 where that is not known, or it has just ended."""
        try:
            return 0.0 if self._cpu is None else time.clock_gettime(self._cpu)
        except OSError:
            return 0.0

    def _live(self) -> None:
        self.ident = get_ident()
        self.greenlet = getcurrent()
        if hasattr(time, "pthread_getcpuclockid"):
            self._cpu = time.pthread_getcpuclockid(self.ident)
        try:
            while self._do_next():
                pass
        finally:
            self._gone(self)
            if self.hub is not None:
                self.hub.destroy(destroy_loop=True)

    def _do_next(self) -> bool:
        """Wait for a trip, and carry it out; False when there is nothing more to do for this thread."""
        trip = self._next_order()
        if trip is None:
            return False
        self.trip = trip
        _interval.shorten()
        try:
            trip.carry_out(self)
        finally:
            _interval.restore()
            self.trip = None
        goes_on = not trip.spends_its_hand
        self._returned(self, trip)
        return goes_on

    def _next_order(self) -> Trip | None:
        is_called = self._bell.acquire(True, PATIENCE)
        with self._lock:
            if is_called or self._orders:
                return self._orders.popleft()
            self._is_gone = True
            return None
