"""The pulse: knows when the loop waits and when it is busy, and for how long each of its turns holds it.

Two watchers, right after the loop has waited and right before it waits again. Nothing here wakes a loop that rests.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from gevent import get_hub


class Pulse:
    """`busy` is called as a turn begins; `turned`, as it ends, with the seconds it took."""

    def __init__(self, busy: Callable[[], object], turned: Callable[[float], object]) -> None:
        loop = get_hub().loop
        self.is_waiting = False
        self.began = time.perf_counter()
        self.turns = 0
        self._loop = loop
        self._busy = busy
        self._turned = turned
        # The first to hear that the waiting is over, and the last to hear that it begins: gevent runs callbacks,
        # and with them greenlets, in the same phase of the loop.
        self._after = loop.check(ref=False, priority=loop.MAXPRI)
        self._before = loop.prepare(ref=False, priority=loop.MINPRI)

    def has_events(self) -> bool:
        """Whether anything else is to be done in the turn that begins: asked from `busy`."""
        return bool(self._loop.pendingcnt)

    def start(self) -> None:
        self.began = time.perf_counter()
        self._after.start(self._waited)
        self._before.start(self._about_to_wait)

    def stop(self) -> None:
        for watcher in (self._after, self._before):
            watcher.stop()
            watcher.close()

    def _waited(self) -> None:
        self.is_waiting = False
        self.began = time.perf_counter()
        self.turns += 1
        self._busy()

    def _about_to_wait(self) -> None:
        self._turned(time.perf_counter() - self.began)
        self.is_waiting = True
