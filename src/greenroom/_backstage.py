"""Backstage: what a room has open while it is in use: lanes, both sides, and calls that wait for their time.

It belongs to the hub of the thread that opened it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from itertools import chain
from math import inf
from typing import Any, NamedTuple

from gevent import get_hub
from gevent.event import Event

from greenroom import _check
from greenroom._call import Call
from greenroom._ending import LONGEST
from greenroom._guard import Watched, guard_here
from greenroom._memory import MemoryWatch
from greenroom._native import get_ident
from greenroom._side import Side
from greenroom._ticker import Ticker
from greenroom.clock import SystemClock
from greenroom.errors import InvalidOption, StoreError
from greenroom.job import Status
from greenroom.lanes import GreenletLane, IdleLane, Lane, ProcessLane, ThreadLane
from greenroom.lanes.process import MOST, Processes, cpus
from greenroom.monitor import Blocker

log = logging.getLogger("greenroom")

LANES: Mapping[str, Callable[[Any], Lane]] = {
    "greenlet": GreenletLane,
    "idle": IdleLane,
    "thread": ThreadLane,
    "process": ProcessLane,
}
SIZES: Mapping[str, int | Processes] = {
    "greenlet": 100,
    "idle": 4,
    "thread": 10,
    "process": cpus(),
}
_STEP = 0.02  # seconds between looks at whether the lanes are empty, while draining
_GRACE = LONGEST + 0.5  # seconds that tasks have to end in once they were stopped: longer than giving them up takes


class Limits(NamedTuple):
    """What keeps tasks from hurting requests; `Greenroom` says what each is."""

    preempt: bool
    quantum: float
    max_memory: float | None
    abort_after: float | None


def lane_sizes(wanted: Mapping[str, int | Processes]) -> dict[str, int | Processes]:
    """The slots of each lane, where some are as wanted. Raises InvalidOption."""
    _check.sizes(wanted)
    for lane, size in wanted.items():
        if lane not in SIZES:
            raise InvalidOption(f"there is no lane {lane!r} to size: use {', '.join(map(repr, SIZES))}.")
        if isinstance(size, Processes) and lane == "process":
            continue  # checked when it was made
        _check.whole(f"lanes[{lane!r}]", size, 1, MOST if lane == "process" else 100_000)
    return {**SIZES, **wanted}


class Backstage:
    """`make_sides` is given the lanes, and makes the durable and the volatile side; `make_ticker` is given the
    durable one, and makes what enqueues its schedules.

    `blocked` is told what held the loop, and for how many seconds.
    """

    def __init__(
        self,
        sizes: Mapping[str, int | Processes],
        make_sides: Callable[[Mapping[str, Lane]], tuple[Side, Side]],
        make_ticker: Callable[[Side], Ticker],
        limits: Limits,
        blocked: Callable[[Blocker, float], object],
    ) -> None:
        self.lanes: dict[str, Lane] = {name: LANES[name](size) for name, size in sizes.items()}
        self.durable, self.volatile = self.sides = make_sides(self.lanes)
        self.ticker = make_ticker(self.durable)
        for name, lane in self.lanes.items():
            lane.freed = self._teller(name)
            if isinstance(lane, ProcessLane):
                lane.woken = self.durable.runner.wake
        self.guard = guard_here()
        quantum = limits.quantum if limits.preempt else None
        self._watched = Watched(self.lanes, quantum, limits.abort_after, blocked)
        self._memory = MemoryWatch(limits.max_memory, [side.runner for side in self.sides])
        self._hub = get_hub()
        self._home = get_ident()
        self._clock = SystemClock()  # draining takes real time, whatever clock the jobs go by
        self._drain_ends = inf
        self._is_started = False
        self._later: dict[Call[Any], Any] = {}  # a timer for each call that waits for its time

    def open(self) -> None:
        for side in self.sides:
            side.open()

    def start(self) -> None:
        if not self._is_started:
            self._is_started = True
            self.guard.join(self._watched)
            self._memory.start()
        for side in self.sides:
            side.start()
        self.ticker.start()

    def call(self, call: Call[Any]) -> None:
        self.lanes["greenlet"].call(call)

    def call_later(self, seconds: float, call: Call[Any]) -> None:
        if get_ident() != self._home:
            self._hub.loop.run_callback_threadsafe(self.call_later, seconds, call)
            return
        self._hub.loop.update_now()  # else it is early by the age of the loop's clock
        timer = self._later[call] = self._hub.loop.timer(seconds)
        timer.start(self._call_now, call)

    def drain(self, seconds: float) -> None:
        """Claim nothing more from the durable side, and let what runs or waits here end, for so long."""
        self._drain_ends = min(self._drain_ends, self._clock.monotonic() + seconds)
        self.ticker.stop()
        self.durable.runner.stop()
        for side in self.sides:
            side.drain()
        for lane in self.lanes.values():
            if isinstance(lane, ProcessLane):
                lane.drain()
        self._drop_later_calls()
        while not self._is_quiet() and self._clock.monotonic() < self._drain_ends:
            Event().wait(_STEP)

    def close(self) -> None:
        """Give back what has not ended, and close the stores."""
        for side in self.sides:
            side.runner.stop()
            side.runner.give_back()
        self._drop_waiting_calls()
        self._wait_for_lanes(self._clock.monotonic() + _GRACE)
        for side in self.sides:
            side.janitor.service.stop()
            try:
                side.runner.disown()
                self._warn_of_lost(side)
            except StoreError:
                log.exception("%s: not everything could be given back; it will be rescued", side.store.url)
            side.store.close()
        self._memory.stop()
        for lane in self.lanes.values():
            lane.close()
        self.guard.leave(self._watched)

    def forsake(self) -> None:
        """This is a forked child: have nothing of it go on here, and leave to the parent what is open."""
        for side in self.sides:
            side.forsake()
        self.ticker.service.forsake()
        self._memory.forsake()
        for timer in self._later.values():
            timer.close()
        self.guard.leave(self._watched)
        for lane in self.lanes.values():
            lane.forsake()

    def trouble(self) -> str | None:
        """What is wrong just now, if anything."""
        stores = (side.store.trouble for side in self.sides)
        services = [*(service for side in self.sides for service in side.services), self.ticker.service]
        failing = (f"{service.name}: {service.trouble}" for service in services if service.trouble)
        troubles = chain(stores, failing)
        return next(filter(None, troubles), None) or self._memory.trouble or self.guard.monitor.trouble()

    def _teller(self, lane: str) -> Callable[[], None]:
        durable, volatile = self.durable.runner.slot_freed, self.volatile.runner.slot_freed

        def tell() -> None:
            durable(lane)
            volatile(lane)

        return tell

    def _call_now(self, call: Call[Any]) -> None:
        timer = self._later.pop(call)
        timer.close()
        self.call(call)

    def _is_quiet(self) -> bool:
        return self._all_has_ended() and not self.volatile.runner.has_backlog()

    def _all_has_ended(self) -> bool:
        settled = not any(side.runner.attempts for side in self.sides)
        return settled and all(lane.is_empty() for lane in self.lanes.values())

    def _wait_for_lanes(self, ends: float) -> None:
        while not self._all_has_ended() and self._clock.monotonic() < ends:
            Event().wait(_STEP)

    def _drop_later_calls(self) -> None:
        later, self._later = self._later, {}
        for call, timer in later.items():
            timer.close()
            log.warning("%r was to run later, and is given up: the room stops. Use a durable task for it.", call)
            call.abandon()

    def _drop_waiting_calls(self) -> None:
        for lane in self.lanes.values():
            for call in lane.abandon():
                log.warning("%r has not begun, and is given up: the room stops.", call)
                call.abandon()

    def _warn_of_lost(self, side: Side) -> None:
        if side is self.volatile:
            lost = side.store.counts()[Status.READY]
            if lost:
                log.warning("%s volatile jobs have not run, and are lost: the room stops.", lost)
