"""A trip: one errand carried out on a thread, and how it is ended from outside.

Three ways lead into the task, and the same exception comes by each: `breath`, where the code asks by itself; the
thread's own hub, where it waits there; and, where it computes, CPython's asynchronous exception. The last can come
up between any two instructions, also of ours: so it is sent only between `begin` and `shut`, which the lock makes
certain, and what was sent and has not come up is taken back by `shut`. A thread that was ever struck is not used
again, all the same.
"""

from __future__ import annotations

import ctypes
import sys
import time
import traceback
from contextvars import Context
from itertools import takewhile
from math import inf
from types import FrameType
from typing import TYPE_CHECKING, Any

from gevent.event import Event

from greenroom._native import allocate_lock, sleep
from greenroom.lanes.base import Errand, breath

if TYPE_CHECKING:
    from greenroom.lanes._hand import Hand

HEARD = 0.05  # seconds that a task has to end in, from each time that it was told to

# Where an exception from nowhere would do lasting harm: in a lock, a hub, a store, half an import.
_FRAGILE = ("gevent", "greenroom", "threading", "logging", "importlib", "_frozen_importlib")

_strike = ctypes.pythonapi.PyThreadState_SetAsyncExc


class Trip:
    """`ended` is set in the lane's hub, and `outcome` is then what came of it: a value, or an error."""

    def __init__(self, errand: Errand, context: Context) -> None:
        self.errand = errand
        self.ended = Event()
        self.ending: BaseException | None = None  # what it is told to end with
        self.is_abandoned = False  # nobody waits for it any more
        self.thread = 0  # which it began in
        self._outcome: tuple[Any, BaseException | None] | None = None
        self._context = context
        self._lock = allocate_lock()
        self._hand: Hand | None = None  # from when it begins until it is shut
        self._is_shut = False
        self._is_struck = False
        self._heard_at = -inf

    @property
    def spends_its_hand(self) -> bool:
        """Whether the thread is of no further use. Known once it is shut."""
        return self._is_struck or self.is_abandoned

    def carry_out(self, hand: Hand) -> None:
        """Do the errand, on the hand's thread."""
        # Twice, for the one exception that can come up while the first is under way.
        try:
            try:
                self._perform(hand)
            finally:
                self._shut()
        except BaseException as stray:  # noqa: BLE001  (meant for the task, and late)
            self._shut()
            self._outcome = self._outcome or (None, stray)

    def result(self) -> Any:
        """What the function returned; raises what it raised, or what it was ended with."""
        if self._outcome is None and self.ending is not None:
            raise self.ending.with_traceback(None)
        value, error = self._outcome or (None, None)
        self._outcome = None  # an error knows its frames, and they know this trip
        if error is None:
            return value
        if self.ending is not None and type(error) is type(self.ending):
            error = self.ending.with_traceback(error.__traceback__)
        try:
            raise error
        finally:
            del error

    def end(self, ending: BaseException) -> None:
        """Have it end with this, where the task asks or waits. In the lane's hub."""
        with self._lock:
            self.ending = ending
            if self._hand is None:
                self._is_shut = True  # it has not begun, and never will, or it is over
            else:
                self._hand.hub.loop.run_callback_threadsafe(self._throw, self._hand, ending)

    def strike(self) -> None:
        """Have it end in the middle of what it computes, unless it was told a moment ago."""
        with self._lock:
            now = time.monotonic()
            if self._hand is None or now - self._heard_at < HEARD or not _is_safe(self._hand.frame()):
                return
            self._heard_at = now
            self._is_struck = True
            _strike(ctypes.c_ulong(self._hand.ident), ctypes.py_object(type(self.ending)))

    def abandon(self) -> bool:
        """Wait for it no more; False if it is over."""
        with self._lock:
            self.is_abandoned = not self._is_shut
            return self.is_abandoned

    def stack(self) -> str:
        """Where it is just now."""
        with self._lock:
            frame = None if self._hand is None else self._hand.frame(of_task=True)
            if frame is None:
                return ""
            within = takewhile(lambda step: step[0].f_code is not Errand.do.__code__, traceback.walk_stack(frame))
            return "".join(traceback.StackSummary.extract(reversed(list(within))).format())

    def _perform(self, hand: Hand) -> None:
        try:
            hand.set_up()
            if self._begin(hand):
                self._outcome = self._context.run(self._go), None
        except BaseException as error:  # noqa: BLE001  (carried over to whoever waits, who raises it)
            self._outcome = None, error

    def _begin(self, hand: Hand) -> bool:
        with self._lock:
            if not self._is_shut:
                self._hand, self.thread = hand, hand.ident
            return not self._is_shut

    def _shut(self) -> None:
        with self._lock:
            self._is_shut = True
            hand, self._hand = self._hand, None
        if hand is not None and self._is_struck:
            _strike(ctypes.c_ulong(hand.ident), None)

    def _go(self) -> Any:
        breath.set(self._breathe)
        return self.errand.do()

    def _breathe(self) -> None:
        if self.ending is not None:
            self._heard_at = time.monotonic()
            raise self.ending.with_traceback(None)
        sleep(0)

    def _throw(self, hand: Hand, ending: BaseException) -> None:
        # In the hand's own hub, so that the task waits there: not in its cleaning up, after it has heard already.
        if self._hand is not None and self._heard_at == -inf:
            self._heard_at = time.monotonic()
            hand.greenlet.throw(ending.with_traceback(None))


def _is_safe(frame: FrameType | None) -> bool:
    """Whether the task's own code, or a library's, runs in this frame."""
    return frame is not None and str(frame.f_globals.get("__name__")).split(".")[0] not in _FRAGILE


def frames() -> dict[int, FrameType]:
    """The innermost frame of each thread."""
    return sys._current_frames()  # noqa: SLF001  (public, for all its name)
