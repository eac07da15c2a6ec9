"""The rhythm of the alarm: each quantum while something may hold the hub, each few of them while nothing is seen to,
seldom while no task runs, and not at all while the loop rests.

Where tasks have had the loop to themselves for a while, each goes on for longer than a quantum: to put one aside
takes 50 us, and there is nobody to do it for.
"""

from __future__ import annotations

import time

from greenroom._alarm import Alarm

QUANTUM = 0.001  # seconds
QUIET = 0.05  # seconds in which only tasks that were put aside have gone on
SLICE = 0.003  # seconds for which they go on from then on, if a quantum is less
RETRY = 0.0002  # seconds until the next look, where it was not safe
SLOW = 0.02  # seconds between rings while no task runs: they are for naming what holds the loop
_CALM, _CALMEST = 2, 6  # quanta from one look to the next while nothing is seen to hold the hub: a ring costs 30 us
_EARLY, _LATE = 0.5, 1.5  # slices: a ring that is due between these need not be wound anew
_AT_WORST = 0.25  # seconds until it rings again if it could not be answered: longer than SQLite's longest sleep


class Rhythm:
    """When the alarm, if there is one, rings next. All times are seconds."""

    def __init__(self) -> None:
        self.quantum = self.slice = QUANTUM  # the slice: after how long what computes just now is to be put aside
        self.alarm: Alarm | None = None
        self.is_armed = self.is_quick = self.is_resting = False
        self.next = 0.0  # from the end of the ring that is being answered to the next one; 0 for none
        self._rings_at = 0.0
        self._disturbed_at = 0.0  # when the loop last had anything else to do
        self._calm = _CALM

    @property
    def period(self) -> float:
        """From one ring to the next, while nothing holds the hub."""
        return min(self.quantum * self._calm, SLOW) if self.is_quick else SLOW

    def turn(self, now: float, *, is_undisturbed: bool) -> None:
        """The loop turns: undisturbed, if only for a task that was put aside."""
        if not is_undisturbed:
            self._disturbed_at, self.slice = now, self.quantum
        elif now - self._disturbed_at > QUIET:
            self.slice = max(self.quantum, SLICE)

    def arm(self, *, is_quick: bool) -> None:
        """Let it ring, quickly if a task runs; if it does so already, it stays as it is."""
        if self.alarm is not None and (not self.is_armed or is_quick > self.is_quick):
            self.is_quick = is_quick
            self.wind(self.period)
            self.is_armed = True  # last: what interrupts this, such as Ctrl-C, leaves an alarm that is armed again

    def expect(self, now: float) -> None:
        """Something goes on that has computed before: let it ring at the end of its slice."""
        if self.alarm is not None:
            self.is_quick = True
            if not _EARLY < (self._rings_at - now) / self.slice < _LATE:
                self.wind(self.slice)
            self.is_armed = True

    def wind(self, after: float) -> None:
        if self.alarm is not None:
            self._rings_at = time.perf_counter() + after  # first: a ring in between may be the last one, and say so
            self.alarm.set(after, _AT_WORST)

    def calm_down(self) -> None:
        """Nothing holds the hub: look more seldom."""
        self._calm = min(self._calm + 1, _CALMEST)
        self.next = self.period

    def stir(self) -> None:
        """Something does."""
        self._calm = _CALM

    def rest(self) -> None:
        """The loop waits: no ring until it turns."""
        self.lapse()
        self.is_resting = True
        self.next = 0.0
        if self.alarm is not None:
            self.alarm.off()

    def lapse(self) -> None:
        """The alarm is off. What runs when the loop next turns arms it again."""
        self.is_armed = self.is_quick = False
        self._rings_at = 0.0
