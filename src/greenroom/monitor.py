"""The monitor: how late the loop turns, and what made it late.

The lag is how long each turn of the loop holds it: whatever arrives meanwhile, a request too, waits so long at most.
It is taken from the loop's own watchers, so that an idle process is not woken for it.
"""

from __future__ import annotations

import logging
import time
from array import array
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from itertools import accumulate

from greenroom._piece import Piece
from greenroom.clock import SystemClock, as_datetime

log = logging.getLogger("greenroom.monitor")

THRESHOLD = 0.05  # seconds
STUCK_AFTER = 5.0  # seconds: what holds the loop for longer is shown in the log of errors at once, while it lasts
REMEMBERED = 60.0  # seconds that a loop that was stuck counts as trouble
HOUR = 3600
_FINEST = 1e-4  # seconds: the bound of the first bucket; each bound is twice the one before
_BUCKETS = 20
_MOST = 1000  # blockers that are told apart

_UNSEEN = ("what ended before it could be seen", "other", "?", 0)

_ADVICE = {
    "task": 'it computes where it cannot be put aside (in C code?): declare it with lane="process", or lane="thread" '
    "if that code releases the GIL",
    "call": 'spawn what computes as a task: @room.task(lane="process", durable=False)',
    "request": "move the work into a task: task.enqueue(...)",
    "other": 'run it as a task: room.spawn(...), or @room.task(lane="thread")',
}


@dataclass(slots=True)
class Blocker:
    """A place in the code that held the loop, each time for longer than the monitor's threshold.

    `kind` is "task", "call", "request" or "other"; times are in seconds, moments in UTC.
    """

    name: str
    kind: str
    file: str
    line: int
    count: int = 0
    longest: float = 0.0
    total: float = 0.0
    last_at: datetime | None = None

    @property
    def advice(self) -> str:
        """What to do about it."""
        return _ADVICE[self.kind]

    def __str__(self) -> str:
        return f"{self.kind} {self.name} ({self.file}:{self.line})"


@dataclass(frozen=True, slots=True)
class Lag:
    """How late the loop was over a while, in seconds: half of its turns held it for no more than `p50`."""

    turns: int
    p50: float
    p99: float
    max: float


@dataclass(frozen=True, slots=True)
class Preemption:
    """Whether tasks are put aside while they compute; if not, `why_off` says why.

    `quantum` is after how many seconds, and `count` how often it was done so far.
    """

    is_on: bool
    why_off: str | None
    quantum: float
    count: int


class Monitor:
    """The one of a hub, shared by its rooms: `room.monitor`."""

    def __init__(self) -> None:
        self.threshold = THRESHOLD  # seconds: what holds the loop for longer is put on record
        self.stuck_after = STUCK_AFTER
        self.blocked: Callable[[Blocker, float], object] = lambda _blocker, _seconds: None
        self._clock = SystemClock()
        self._counts = [0] * _BUCKETS
        self._longest = 0.0
        self._seconds = array("f", bytes(4 * HOUR))  # the longest turn in each second of the last hour
        self._second = int(time.perf_counter())
        self._suspects: Counter[tuple[str, str, str, int]] = Counter()  # of the present turn: how often it was seen
        self._blockers: dict[tuple[str, str, str, int], Blocker] = {}
        self._stuck: tuple[float, str] | None = None  # until when to tell of it, and what

    def lag(self) -> Lag:
        """Of all turns so far."""
        turns = sum(self._counts)
        return Lag(turns, self._quantile(0.5, turns), self._quantile(0.99, turns), self._longest)

    def histogram(self) -> list[tuple[float, int]]:
        """How many turns held the loop for up to how many seconds, the shortest first."""
        return [(_FINEST * 2**number, count) for number, count in enumerate(self._counts)]

    def last_hour(self) -> list[float]:
        """The longest turn of each second, in seconds, the latest second last."""
        self._roll_on(int(time.perf_counter()))
        here = self._second % HOUR + 1
        return [*self._seconds[here:], *self._seconds[:here]]

    def blockers(self) -> list[Blocker]:
        """What held the loop for longer than the threshold; what did so longest in all comes first."""
        return sorted(self._blockers.values(), key=lambda blocker: -blocker.total)

    def trouble(self) -> str | None:
        """That the loop was stuck a moment ago, if it was."""
        if self._stuck is None or time.perf_counter() > self._stuck[0]:
            return None
        return self._stuck[1]

    def turned(self, seconds: float) -> None:
        """A turn of the loop took so long."""
        self._counts[min(_BUCKETS - 1, int(seconds / _FINEST).bit_length())] += 1
        second = int(time.perf_counter())
        if second != self._second:
            self._roll_on(second)
        place = second % HOUR
        if seconds > self._seconds[place]:
            self._seconds[place] = seconds
            self._longest = max(self._longest, seconds)
        if seconds >= self.threshold:
            self._record(seconds)
        if self._suspects:
            self._suspects.clear()

    def blame(self, piece: Piece) -> None:
        """It runs while the present turn is longer than the threshold already."""
        place = piece.at
        while place.f_back is not None and place is not piece.frame and _is_library(place.f_code.co_filename):
            place = place.f_back
        if place is piece.frame:
            place = piece.at
        self._suspects[piece.name, piece.kind, place.f_code.co_filename, place.f_lineno] += 1

    def _record(self, seconds: float) -> None:
        suspect = max(self._suspects, key=self._suspects.__getitem__, default=_UNSEEN)
        if suspect not in self._blockers and len(self._blockers) >= _MOST:
            suspect = ("others", "other", "?", 0)
        blocker = self._blockers.setdefault(suspect, Blocker(*suspect))
        blocker.count += 1
        blocker.longest = max(blocker.longest, seconds)
        blocker.total += seconds
        blocker.last_at = as_datetime(self._clock.now())
        if str(blocker.count).strip("0") == "1":  # the first time, the tenth, the hundredth
            log.warning(
                "the event loop was held for %.0f ms by %s (time no. %s): %s.",
                seconds * 1000,
                blocker,
                blocker.count,
                blocker.advice,
            )
        if seconds >= self.stuck_after:
            text = f"the event loop was held for {seconds:.0f} s by {blocker}"
            self._stuck = time.perf_counter() + REMEMBERED, text
        self.blocked(blocker, seconds)

    def _roll_on(self, second: int) -> None:
        for each in range(max(self._second + 1, second - HOUR + 1), second + 1):
            self._seconds[each % HOUR] = 0.0
        self._second = second

    def _quantile(self, share: float, turns: int) -> float:
        for number, count in enumerate(accumulate(self._counts)):
            if count >= share * turns:
                return min(_FINEST * (1 << number), self._longest)
        return self._longest


def _is_library(file: str) -> bool:
    return file.startswith("<") or "/lib/python3" in file or "site-packages" in file
