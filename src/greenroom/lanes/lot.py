"""The parking lot: where greenlets wait that have computed for long enough, and go on one a turn of the loop.

One queue and one idle watcher for all of them: a watcher each would wake them all in the same turn (20 tasks made
requests wait 200 ms). Under steady traffic the loop is never idle, so that patience has an end, and one goes on.

Whose turn it is goes by stride scheduling (Waldspurger and Weihl, 1995): each turn moves a greenlet back by a stride,
the smaller the higher its priority, and the one furthest in front goes on. Nobody waits for ever.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from heapq import heappop, heappush
from typing import Any
from weakref import WeakKeyDictionary

from gevent import get_hub, getcurrent

from greenroom.lanes._shown import Shown

PATIENCE = 0.005  # seconds after which one goes on even if the loop is never idle
_HALF_STRIDE = 25  # so many steps of priority double the share


class ParkingLot:
    """The one of a hub. `resuming` is told which greenlet goes on now."""

    def __init__(self) -> None:
        self.resuming: Callable[[Any], object] = lambda _greenlet: None
        self.resumed_at = 0.0  # when one of them last went on, on time.perf_counter's clock
        self.begun_at = 0.0  # when a lane last began a piece of work, on the same clock,
        self.beginner: Any = None  # and the greenlet that it runs in: told by the lanes, for who may park it here
        self._hub = get_hub()
        self._waiting: list[tuple[float, int, Any]] = []  # place, order of arrival, greenlet
        self._places: dict[Any, float] = {}  # of those that wait
        self._arrivals = 0
        self._front = 0.0  # the place of the one that went on last
        self._shown = Shown()
        self._idle = self._hub.loop.idle()
        self._impatience = self._hub.loop.timer(PATIENCE, PATIENCE)

    def __len__(self) -> int:
        return len(self._places)

    def has_the_turn(self) -> bool:
        """Whether the turn of the loop that begins is for one of those that wait here, and for nothing else."""
        return bool(self._hub.loop.pendingcnt == 1 and (self._idle.pending or self._impatience.pending))

    def park(self, priority: int = 0) -> None:
        """Wait here for a turn. Called by the greenlet itself; what is thrown into it meanwhile is raised."""
        me = getcurrent()
        place = self._front + 2.0 ** (-priority / _HALF_STRIDE)
        self._arrivals += 1
        self._places[me] = place
        heappush(self._waiting, (place, self._arrivals, me))
        if len(self._places) == 1:
            self._idle.start(self._wake_one)
            self._impatience.start(self._wake_one)
        shown = self._shown.take()
        try:
            self._hub.switch()
        finally:
            self._shown.put_back(shown)
            if self._places.pop(me, None) is not None:  # thrown out, and not woken
                self._rest_if_empty()

    def forget(self, greenlet: Any) -> bool:
        """If it waits here, never let it go on; say whether it did."""
        is_here = self._places.pop(greenlet, None) is not None
        if is_here:
            self._rest_if_empty()
        return is_here

    def _wake_one(self) -> None:
        while self._waiting:
            place, _, greenlet = heappop(self._waiting)
            if self._places.get(greenlet) == place:
                del self._places[greenlet]
                self._rest_if_empty()
                self._front = place
                self.resumed_at = time.perf_counter()
                self.resuming(greenlet)
                greenlet.switch()
                return

    def _rest_if_empty(self) -> None:
        if not self._places:
            self._waiting.clear()
            self._idle.stop()
            self._impatience.stop()


_lots: WeakKeyDictionary[Any, ParkingLot] = WeakKeyDictionary()


def lot_here() -> ParkingLot:
    """The parking lot of this thread's hub."""
    hub = get_hub()
    lot = _lots.get(hub)
    if lot is None:
        lot = _lots[hub] = ParkingLot()
    return lot
