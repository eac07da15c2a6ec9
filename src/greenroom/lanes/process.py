"""The process lane: tasks that compute, in processes beside this one.

The worker greenlet of a job waits, parked, while a helper process calls the function. What a task does there can
hold up nobody here; it can be ended at any moment, whatever it does; and if it takes its process down with it, that
costs its job an attempt, and nothing else.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Any

from gevent import Timeout

from greenroom.errors import InvalidOption
from greenroom.lanes.base import Errand
from greenroom.lanes.greenlet import GreenletLane

if TYPE_CHECKING:
    from greenroom.lanes._helper import Helper

_SOFTLY = 2.5  # seconds that idle helpers have to end in when the lane is closed
MOST = 1_000  # processes


def cpus() -> int:
    """How many CPUs this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Processes:
    """How the process lane is to be: `size` processes at most (None: one for each CPU).

    Each is replaced after `max_jobs` jobs, and when it holds more than `max_memory` bytes: after the job, or in the
    middle of it, which then has failed with ProcessDied. One that had nothing to do for `idle` seconds is ended.
    """

    size: int | None = None
    max_jobs: int | None = None
    max_memory: int | None = None
    idle: float = 60.0

    def __post_init__(self) -> None:
        _check_whole("size", self.size, MOST)
        _check_whole("max_jobs", self.max_jobs, None)
        _check_whole("max_memory", self.max_memory, None)
        if isinstance(self.idle, bool) or not _is_number(self.idle) or not 0 <= self.idle < inf:
            raise InvalidOption(f"Processes(idle={self.idle!r}) is out of range: use 0 or more seconds.")


class ProcessLane(GreenletLane):
    """Runs up to `size` tasks at once, each in a process."""

    name = "process"

    def __init__(self, wanted: int | Processes | None = None) -> None:
        self._wanted = wanted if isinstance(wanted, Processes) else Processes(size=wanted)
        super().__init__(self._wanted.size or cpus())
        self._carry = self._do
        self.woken: Callable[[], object] = lambda: None  # told when a task in a helper has enqueued something
        self._helpers: set[Helper] = set()  # whose processes live
        self._idle: list[Helper] = []  # the last one used is the first to be used again
        self._idle_ends = self._hub.loop.timer(0, ref=False)

    def drain(self) -> None:
        """Let tasks that run in helpers know that the process is to end."""
        for helper in list(self._helpers):
            helper.drain()

    def forsake(self) -> None:
        super().forsake()
        self._idle_ends.stop()
        for helper in self._helpers:
            helper.forsake()
        self._idle.clear()

    def close(self) -> None:
        """End all helpers: softly those that are idle."""
        self._idle_ends.stop()
        helpers = list(self._helpers)
        for helper in helpers:
            if helper in self._idle:
                helper.end()
            else:
                helper.kill()
        self._idle.clear()
        with Timeout(_SOFTLY, False):
            for helper in helpers:
                helper.process.over.wait()
        for helper in helpers:
            helper.kill()
            helper.process.over.wait(1.0)

    def _do(self, errand: Errand) -> Any:
        from greenroom.lanes._parcels import packed  # helpers, and what they speak, are loaded by who needs one

        call = packed(errand)
        helper = self._idle.pop() if self._idle else self._start_one(errand)
        helper.is_busy = True
        try:
            helper.get_ready()
            return helper.do(errand, call)
        finally:
            self._put_back(helper)

    def _start_one(self, errand: Errand) -> Helper:
        from greenroom.lanes._helper import Helper

        module = errand.task.func.__module__
        helper = Helper(module, max_memory=self._wanted.max_memory, gone=self._gone, enqueued=self._enqueued)
        self._helpers.add(helper)
        return helper

    def _put_back(self, helper: Helper) -> None:
        helper.is_busy = False
        if not helper.is_usable:
            if helper.process.is_over:
                helper.forget()
            return
        if helper.jobs >= (self._wanted.max_jobs or inf) or helper.is_too_big():
            helper.end()
            return
        helper.idle_since = time.monotonic()
        self._idle.append(helper)
        if not self._idle_ends.active:
            self._come_again(self._wanted.idle)

    def _end_idle(self) -> None:
        """End those that were idle for long enough, and come again when the next will have been."""
        now = time.monotonic()
        for helper in [it for it in self._idle if it.idle_since + self._wanted.idle <= now]:
            self._idle.remove(helper)
            helper.end()
        if self._idle:
            self._come_again(min(helper.idle_since for helper in self._idle) + self._wanted.idle - now)

    def _come_again(self, seconds: float) -> None:
        self._idle_ends.stop()  # and not closed: this may be its own callback
        self._idle_ends = self._hub.loop.timer(max(0.0, seconds), ref=False)
        self._idle_ends.start(self._end_idle, update=True)

    def _enqueued(self) -> None:
        self.woken()

    def _gone(self, helper: Helper) -> None:
        self._helpers.discard(helper)
        if helper in self._idle:
            self._idle.remove(helper)
        if not helper.is_busy:
            helper.forget()


def _is_number(value: object) -> bool:
    return isinstance(value, int | float)


def _check_whole(kind: str, value: object, most: int | None) -> None:
    if value is None:
        return
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= (most or inf):
        limits = f"from 1 to {most}" if most else "from 1"
        raise InvalidOption(f"Processes({kind}={value!r}) is out of range: use a whole number {limits}, or None.")
