"""The guard: keeps the hub turning, whatever tasks compute.

An alarm rings at each slice while something may hold the hub, and at each few quanta while nothing is seen to.
Python calls its handler between two instructions of whatever runs, *on the greenlet that runs*. So the handler may
park that greenlet and switch to the hub: pre-emption with no thread and no giving away of the GIL, as Go does it.
It is done only where it is safe:

- the greenlet runs a task, and has for a whole slice (a quantum, or more on a quiet site);
- the instruction is one at which the interpreter itself looks for signals: a function's start or a loop's end. Never
  inside a C call that looks for them too (a buffered file, a regex): those hold native locks by thread;
- no frame between the task's function and the top is gevent's (the greenlet may be linked to a lock and not yet
  switched out), importlib's, asyncio's (its running loop is per thread) or our own;
- no SQLite transaction of its own is open: whoever waits for that in C, and be it a request, would hold the loop;
- the garbage collector does not run, nothing traces (coverage would lose lines), and no Python function profiles.

Where it is not safe now, the alarm rings again shortly.
"""

from __future__ import annotations

import gc
import logging
import os
import sys
import time
from collections.abc import Callable, Mapping
from types import FrameType, FunctionType, MethodType
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from gevent import get_hub, getcurrent, monkey, spawn

from greenroom import _early
from greenroom._admission import LATE, Admission
from greenroom._alarm import Alarm, Handler, NoAlarm
from greenroom._deadman import DeadMan
from greenroom._piece import Piece, find_boundary, find_piece, is_at_check
from greenroom._pulse import Pulse
from greenroom._rhythm import RETRY, SLOW, Rhythm
from greenroom._transactions import Transactions
from greenroom.lanes import IdleLane, Lane
from greenroom.lanes.lot import lot_here
from greenroom.monitor import Blocker, Monitor, Preemption

log = logging.getLogger("greenroom")

_LOOKS = 10  # at so many calls in a row: code without loops, or C code that looks for signals again and again


class Watched(NamedTuple):
    """A room that runs in the hub, as the guard sees it."""

    lanes: Mapping[str, Lane]
    quantum: float | None  # None: nothing of it is put aside
    abort_after: float | None  # seconds for one turn of the loop, after which the process is ended
    blocked: Callable[[Blocker, float], object]  # told, in a greenlet of its own, what held the loop for how long


class Guard:
    """The one of a hub, shared by the rooms that run in it."""

    def __init__(self) -> None:
        self.lot = lot_here()
        self.lot.resuming = self._resuming
        self.monitor = Monitor()
        self.monitor.blocked = self._tell_rooms
        self.preemptions = 0
        self.why_off: str | None = "no room runs"  # why nothing is pre-empted, if so
        self._hub = get_hub()
        self._rhythm = Rhythm()
        self._rooms: list[Watched] = []
        self._admission = Admission(())
        self._dead_man: DeadMan | None = None
        self._pulse: Pulse | None = None
        self._collects_garbage = False
        self._transactions = Transactions()
        self._is_looking = False
        self._is_at_call = False
        self._looks = 0
        self._runner: Any = None  # who ran when the alarm rang last, in which turn of the loop and since when
        self._turn = 0
        self._since = 0.0
        self._last_turn = 0.0  # how many seconds it took
        self._frame: FrameType | None = None  # the boundary of what it ran then; None if that is not known
        self._is_resumed = False  # whether it has held the hub for a quantum before

    def join(self, room: Watched) -> None:
        """Watch over its lanes from now on."""
        self._set_rooms([*self._rooms, room])
        if self._pulse is None:
            self._pulse = Pulse(self._turn_begins, self._turn_ends)
            self._pulse.start()
        self._set_alarm()
        for lane in room.lanes.values():
            lane.turning = self._lane_turns
            lane.preempts_calls = room.quantum is not None
            if isinstance(lane, IdleLane):
                lane.is_late = self._is_late

    def leave(self, room: Watched) -> None:
        """Watch over them no more."""
        self._set_rooms([each for each in self._rooms if each is not room])
        if self._rooms:
            self._set_alarm()
        elif self._pulse is not None:
            self._pulse.stop()
            self._pulse = None
            self._unset_alarm()

    def preemption(self) -> Preemption:
        """Whether tasks are put aside here."""
        return Preemption(self.why_off is None, self.why_off, self._rhythm.quantum, self.preemptions)

    def _set_rooms(self, rooms: list[Watched]) -> None:
        self._rooms = rooms
        quantum = min((room.quantum for room in rooms if room.quantum is not None), default=SLOW)
        self._rhythm.quantum = self._rhythm.slice = quantum
        self._admission.close()
        self._admission = Admission(lane for room in rooms for lane in room.lanes.values())

    def _set_alarm(self) -> None:
        wanted = any(room.quantum is not None for room in self._rooms)
        try:
            if self._rhythm.alarm is None:
                self._rhythm.alarm = _make_alarm(self._ring, self._lapsed)
                self._collects_garbage = self._rhythm.is_resting = False
                gc.callbacks.append(self._note_collection)
                self._transactions.watch()
                _early.settle()
            self.why_off = None if wanted else "every room has preempt=False"
        except NoAlarm as reason:
            if wanted and self.why_off != str(reason):
                log.warning("tasks are not pre-empted: %s. One that computes will hold up requests.", reason)
            self.why_off = str(reason)
        self._set_dead_man()

    def _set_dead_man(self) -> None:
        abort_after = min((room.abort_after for room in self._rooms if room.abort_after is not None), default=None)
        if self._dead_man is not None and self._dead_man.abort_after == abort_after:
            return
        is_wound = self._dead_man is not None and self._dead_man.is_wound
        self._unset_dead_man()
        try:
            if self._rhythm.alarm is None:
                raise NoAlarm("there is no alarm to tell when the loop waits")
            self._dead_man = DeadMan(self.monitor.stuck_after, abort_after)
            if is_wound:
                self._dead_man.wind(time.perf_counter())
        except NoAlarm as reason:
            level = logging.INFO if abort_after is None else logging.WARNING
            log.log(level, "a loop that does not turn will be neither shown nor ended: %s.", reason)

    def _unset_alarm(self) -> None:
        self.why_off = "no room runs"
        alarm, self._rhythm.alarm = self._rhythm.alarm, None  # what rings from here on is not answered
        if alarm is not None:
            alarm.close()
            self._rhythm.lapse()
            gc.callbacks.remove(self._note_collection)
            self._transactions.unwatch()
        self._unset_dead_man()

    def _unset_dead_man(self) -> None:
        if self._dead_man is not None:
            self._dead_man.close()
            self._dead_man = None

    def _tell_rooms(self, blocker: Blocker, seconds: float) -> None:
        # In greenlets of their own: this is called by the loop, in which nobody may wait.
        for room in self._rooms:
            spawn(room.blocked, blocker, seconds)

    def _lapsed(self) -> None:
        self._rhythm.lapse()
        self._runner = self._frame = None

    def _forked(self) -> None:
        """This is a forked child."""
        self._lapsed()
        if self._rhythm.alarm is not None:
            self._rhythm.alarm.renew()
        if self._dead_man is not None:
            self._dead_man.renew()

    def _turn_begins(self) -> None:
        if self._pulse is not None:
            self._rhythm.turn(self._pulse.began, is_undisturbed=self.lot.has_the_turn())
        if self._rhythm.is_resting:  # the alarm itself has woken the loop: that is no reason to arm it again
            self._rhythm.is_resting = False
            if self._pulse is None or not self._pulse.has_events():
                return
        if not self._rhythm.is_armed and self._rhythm.alarm is not None:
            self._rhythm.arm(is_quick=self._any_runs())
        if self._dead_man is not None and self._pulse is not None:
            self._dead_man.wind(self._pulse.began)

    def _lane_turns(self) -> None:
        self._rhythm.arm(is_quick=True)

    def _any_runs(self) -> bool:
        return any(lane.running for room in self._rooms for lane in room.lanes.values())

    def _is_late(self) -> bool:
        return self._last_turn > LATE

    def _turn_ends(self, seconds: float) -> None:
        self.monitor.turned(seconds)
        self._admission.turned(seconds)
        self._last_turn = seconds

    def _rest(self) -> None:
        self._runner = self._frame = None
        self._rhythm.rest()  # what runs when the loop has waited arms it again, but for the ring itself
        if self._dead_man is not None:
            self._dead_man.rest()

    def _ring(self, _number: int, frame: FrameType | None) -> None:
        """The alarm rings: on the greenlet that runs, between two of its instructions."""
        rhythm = self._rhythm
        if self._is_looking or rhythm.alarm is None:
            return  # it rings while it is still being answered
        self._is_looking = True
        echo = piece = None
        try:  # so deep down a recursion there may be room for no call at all; that is no fault of the task's
            rhythm.next = rhythm.period
            piece = self._look(frame)
        except RecursionError:
            rhythm.next = RETRY
        finally:
            self._is_looking = False
        # Once at a time, and not at an interval: SQLite sleeps in C while it waits for a lock, each ring cuts a
        # sleep short, and its five seconds were over in a tenth of one.
        try:  # and not suppress(), which is itself a call
            if rhythm.next:
                rhythm.wind(rhythm.next)
        except RecursionError:  # it rings again all the same, though not so soon
            pass
        if self._is_at_call:
            self._is_at_call = False
            echo = rhythm.alarm.echo()  # noqa: F841  (it rings when this function has returned)
        elif piece is not None:
            self.preemptions += 1
            self.lot.park(piece.priority)

    def _look(self, frame: FrameType | None) -> Piece | None:
        """What is to be put aside now, if anything."""
        pulse, me = self._pulse, getcurrent()
        if pulse is None or frame is None:
            return None
        if me is self._hub and pulse.is_waiting:
            self._look_at_wait(pulse)
            return None
        now = time.perf_counter()
        if now - pulse.began >= self.monitor.threshold:
            self.monitor.blame(find_piece(frame))
            if self._dead_man is not None:
                self._dead_man.watch(now - pulse.began)
        if me is self._hub:
            return None
        self._rhythm.is_quick = True
        if me is not self._runner or pulse.turns != self._turn:
            self._runner, self._turn, self._is_resumed = me, pulse.turns, False
            self._note(frame, now, pulse)
        if self.why_off is None:
            left = self._rhythm.slice * 0.9 - (now - self._since)
            if left <= 0:
                return self._consider(frame, now, pulse)
            if self._is_resumed or self._frame is not None:
                self._rhythm.next = max(left, RETRY)
        return None

    def _look_at_wait(self, pulse: Pulse) -> None:
        # The ring itself makes the loop turn once. To rest and begin again takes twice as long as to look again.
        has_turned = pulse.turns - self._turn > 1
        self._runner, self._turn = None, pulse.turns
        if has_turned:
            self._rhythm.is_quick = self._any_runs()
            self._rhythm.calm_down()
        else:
            self._rest()

    def _note(self, frame: FrameType, now: float, pulse: Pulse) -> None:
        """Note what runs now: if it still does in a quantum, it holds the hub."""
        lot = self.lot
        # A lane has begun it in this turn of the loop, or else it is not known since when it runs.
        is_known = lot.beginner is self._runner and lot.begun_at >= pulse.began
        self._since, self._frame = lot.begun_at if is_known else now, find_boundary(frame)
        self._rhythm.next = max(self._rhythm.slice - (now - self._since), RETRY)
        if self._frame is None:
            self._rhythm.calm_down()

    def _consider(self, frame: FrameType, now: float, pulse: Pulse) -> Piece | None:
        """Put it aside, if it is one piece of work that has held the hub for a quantum and not many short ones."""
        if not self._is_resumed and (self._frame is None or find_boundary(frame) is not self._frame):
            self._note(frame, now, pulse)  # what it is, and whether it is safe, is asked only when there is reason to
            return None
        piece = find_piece(frame)
        if not piece.is_preemptible:
            return None
        self._rhythm.stir()
        if not is_at_check(frame):
            self._looks += 1
            self._is_at_call = self._looks % _LOOKS != 0
            self._rhythm.next = RETRY
            return None
        if not (piece.is_clean and self._may_switch(now - pulse.began)):
            self._rhythm.next = RETRY
            return None
        self._runner = self._frame = None
        self._looks = 0
        self._rhythm.next = self._rhythm.slice
        return piece

    def _may_switch(self, held: float) -> bool:
        return (
            not self._collects_garbage
            and sys.gettrace() is None
            and not isinstance(sys.getprofile(), FunctionType | MethodType)
            and not self._transactions.is_within(self._runner, held)
        )

    def _resuming(self, greenlet: Any) -> None:
        if self._pulse is not None:
            self._runner, self._turn, self._since = greenlet, self._pulse.turns, time.perf_counter()
            self._is_resumed = True
            self._rhythm.expect(self._since)

    def _note_collection(self, phase: str, _info: object) -> None:
        self._collects_garbage = phase == "start"


def _make_alarm(ring: Handler, lapsed: Callable[[], object]) -> Alarm:
    if not monkey.is_module_patched("threading"):
        raise NoAlarm(
            "the standard library is not patched, so a task that is put aside while it holds a lock would "
            "stop whoever wants it, and the whole thread"
        )
    return Alarm(ring, lapsed)


_guards: WeakKeyDictionary[Any, Guard] = WeakKeyDictionary()


def guard_here() -> Guard:
    """The guard of this thread's hub."""
    hub = get_hub()
    guard = _guards.get(hub)
    if guard is None:
        guard = _guards[hub] = Guard()
    return guard


def _forked() -> None:
    for guard in list(_guards.values()):
        guard._forked()  # noqa: SLF001


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)
