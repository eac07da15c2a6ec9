"""The thread lane: tasks that call C code which lets go of the interpreter, or that were not written for gevent.

    worker greenlet ──trip──> hand, a native thread: the task's function
          ^ parked                    │
          └─────── async wake-up ─────┘

Slots, turns and worker greenlets are the greenlet lane's; only the function is called elsewhere. A task that does
not end when it is told to is left behind with its thread, which counts as stuck, and its slot gets a new one.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from contextvars import copy_context
from dataclasses import dataclass
from typing import Any

from greenroom.lanes._hand import Hand
from greenroom.lanes._trip import Trip
from greenroom.lanes.base import Errand
from greenroom.lanes.greenlet import GreenletLane

GRACE = 0.1  # seconds that a task has to end in, once it was told to
_STEP = 0.01  # seconds between looks at whether it can be ended by force

log = logging.getLogger("greenroom")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stuck:
    """A thread in which a task goes on though it was ended: since when (monotonic seconds), and where it was."""

    task: str
    thread: int
    since: float
    stack: str


class ThreadLane(GreenletLane):
    """Runs up to `size` things at once, each task in a native thread."""

    name = "thread"

    def __init__(self, size: int = 10) -> None:
        super().__init__(size)
        self._carry = self._send
        self._hands: set[Hand] = set()
        self._idle_hands: list[Hand] = []
        self._back: deque[tuple[Hand, Trip]] = deque()
        self._stuck: dict[Trip, Stuck] = {}
        self._under_way = 0
        self._is_closed = False
        self._doorbell = self._hub.loop.async_()

    @property
    def stuck(self) -> list[Stuck]:
        """Threads left behind with tasks that do not end, oldest first."""
        return list(self._stuck.values())

    @property
    def threads(self) -> int:
        """How many threads there are, busy, idle and stuck."""
        return len(self._hands)

    def computed(self) -> dict[Trip, float]:
        """Seconds that the thread of each errand has computed, in this errand and before."""
        return {trip: hand.computed() for hand in list(self._hands) if (trip := hand.trip) is not None}

    def forsake(self) -> None:
        super().forsake()
        self._is_closed = True
        self._idle_hands.clear()
        self._doorbell.stop()

    def close(self) -> None:
        """Send idle threads home; one that is stuck ends by itself, or with the process."""
        self._is_closed = True
        while self._idle_hands:
            self._idle_hands.pop().give(None)
        if not self._under_way:
            self._doorbell.close()

    def _send(self, errand: Errand) -> Any:
        """Have the errand done on a thread, and wait for it."""
        trip = Trip(errand, copy_context())
        self._watch()
        try:
            self._give(trip)
            self._wait_for(trip)
        finally:
            self._unwatch()
        return trip.result()

    def _give(self, trip: Trip) -> None:
        while self._idle_hands:
            if self._idle_hands.pop().give(trip):
                return
        hand = Hand(returned=self._returned, gone=self._hands.discard)
        hand.give(trip)
        self._hands.add(hand)
        try:
            hand.start()
        except BaseException:
            self._hands.discard(hand)
            raise

    def _wait_for(self, trip: Trip) -> None:
        try:
            trip.ended.wait()
        except BaseException as thrown:  # noqa: BLE001  (a timeout, a cancellation: it is meant for the task)
            trip.end(thrown)
            self._see_it_end(trip)

    def _see_it_end(self, trip: Trip) -> None:
        ends = time.monotonic() + GRACE
        while not trip.ended.is_set():
            left = ends - time.monotonic()
            if left <= 0 and self._leave_behind(trip):
                return
            try:
                trip.ended.wait(max(0.001, min(_STEP, left)))
                trip.strike()
            except BaseException as thrown:  # noqa: BLE001  (cancelled when its time was up already)
                trip.end(thrown)

    def _leave_behind(self, trip: Trip) -> bool:
        """Wait no more for a task that does not end; False if it is about to."""
        task, stack = trip.errand.task.name, trip.stack()
        stuck = Stuck(task=task, thread=trip.thread, since=time.monotonic(), stack=stack)
        self._stuck[trip] = stuck  # first: it may be back at any moment
        if not trip.abandon():
            del self._stuck[trip]
            return False
        log.warning(
            "task %s does not end: its thread %s is stuck, and another takes its place. Have the task call something "
            'that can be interrupted, or give it lane="process". It is at:\n%s',
            task,
            stuck.thread,
            stack,
        )
        return True

    def _returned(self, hand: Hand, trip: Trip) -> None:
        # On the hand's thread.
        if trip.is_abandoned:
            self._stuck.pop(trip, None)
            log.info("task %s has come to an end after all: its stuck thread ends", trip.errand.task.name)
        else:
            self._back.append((hand, trip))
            self._doorbell.send()

    def _deliver(self) -> None:
        """Wake those whose errands are done. Runs in the hub."""
        while self._back:
            hand, trip = self._back.popleft()
            if self._is_closed:
                hand.give(None)
            elif not trip.spends_its_hand:
                self._idle_hands.append(hand)
            trip.ended.set()

    def _watch(self) -> None:
        # Only while something is under way: a loop with nothing else to do would otherwise never end.
        if not self._under_way:
            self._doorbell.start(self._deliver)
        self._under_way += 1

    def _unwatch(self) -> None:
        self._under_way -= 1
        if not self._under_way:
            self._doorbell.stop()
            if self._is_closed:
                self._doorbell.close()
