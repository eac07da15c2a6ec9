"""A heart: it beats in the event loop, and so it stops when somebody holds the loop up."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from gevent import get_hub
from gevent.event import Event

BEAT = 0.001  # seconds


class Heart:
    """Beats each millisecond while it is entered.

    `longest` is the most CPU time, in seconds, that this thread spent between two beats: a busy neighbour on the
    machine does not count against whoever is watched, and waiting shows in beats that are missing. Nor does what was
    there before: a full collection takes a third of a second in a process that has run a thousand tests.
    """

    def __init__(self) -> None:
        self.beats = 0
        self.longest = 0.0
        self._timer = get_hub().loop.timer(BEAT, BEAT)
        self._felt = 0.0
        self._awaited: list[tuple[int, Callable[[], object]]] = []

    def __enter__(self) -> Self:
        gc.freeze()
        self._felt = time.thread_time()
        self._timer.start(self._beat)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._feel()
        self._timer.stop()
        self._timer.close()
        gc.unfreeze()

    def at(self, beat: int, then: Callable[[], object]) -> None:
        """Have something done in the loop itself, at that beat, or at the next one if it is past."""
        self._awaited.append((beat, then))

    def wait_for(self, beat: int) -> None:
        reached = Event()
        self.at(beat, reached.set)
        reached.wait()

    def _beat(self) -> None:
        self._feel()
        self.beats += 1
        for awaited in [awaited for awaited in self._awaited if awaited[0] <= self.beats]:
            self._awaited.remove(awaited)
            awaited[1]()

    def _feel(self) -> None:
        now = time.thread_time()
        self.longest = max(self.longest, now - self._felt)
        self._felt = now
