"""Suspects: jobs whose process died more than once while it ran them. They begin late after a start, one at a time.

One of them may be what makes the process die, and nobody knows which. So the rest is done first, before it can
happen again; and when it does, one suspect alone was running, and the others are not blamed for it.
"""

from __future__ import annotations

from math import inf

from greenroom.clock import SECOND, Clock

LATE = 3.0  # seconds after a start


class Suspects:
    """When one may begin. It decides; the runner claims."""

    def __init__(self, clock: Clock) -> None:
        self.running: int | None = None  # the one that has begun, by its id
        self._clock = clock
        self._not_before = 0.0
        self._look_at = inf  # when there may be one in the store that is due

    def start(self) -> None:
        """The process, or its work, has begun only now."""
        self._not_before = self._clock.monotonic() + LATE
        self.look()

    def look(self) -> None:
        """There may be some."""
        self._look_at = 0.0

    def notice(self, due: int | None) -> None:
        """One is in the store that is due at that moment; None: none is."""
        if due is not None:
            delay = max(0.0, (due - self._clock.now()) / SECOND)
            self._look_at = min(self._look_at, self._clock.monotonic() + delay)

    def wait(self) -> float:
        """Seconds until one may be claimed, if any is due then."""
        if self.running is not None or self._look_at == inf:
            return inf
        return max(0.0, max(self._look_at, self._not_before) - self._clock.monotonic())

    def asked(self) -> None:
        """The store is about to be asked for one."""
        self._look_at = inf

    def begin(self, job_id: int) -> None:
        self.running = job_id

    def end(self) -> None:
        """The one that ran has ended, whatever it came to; another may begin."""
        self.running = None
        self.look()
