"""The memory watch: above a limit nothing more is begun, what runs may end, and the room says that it is in trouble.

So a supervisor that looks at /healthz can replace the process before the system's own killer does, with all that it
had been given. Below nine tenths of the limit it goes on by itself.
"""

from __future__ import annotations

import logging
import os
import resource
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from greenroom._runner import Runner
from greenroom._service import Service

log = logging.getLogger("greenroom")

_LOOK_EVERY = 1.0  # seconds
_ENOUGH = 0.9


class MemoryWatch:
    """Pauses the runners while this process holds more than `limit` bytes; None: never."""

    def __init__(self, limit: float | None, runners: Sequence[Runner]) -> None:
        self.trouble: str | None = None
        self._limit = limit
        self._runners = runners
        self._service = Service("memory watch", self._look)

    def start(self) -> None:
        if self._limit is not None:
            self._service.start()

    def stop(self) -> None:
        self._service.stop()

    def forsake(self) -> None:
        """This is a forked child."""
        self._service.forsake()

    def _look(self) -> float | None:
        limit = self._limit
        assert limit is not None, "it is not started without one"  # noqa: S101
        held = resident_memory()
        if self.trouble is None and held > limit:
            self.trouble = (
                f"the process holds {held / 1e6:.0f} MB, more than max_memory={limit / 1e6:.0f} MB: no task is begun"
            )
            log.error("%s. Restart it, or raise the limit.", self.trouble)
            self._pause(is_paused=True)
        elif self.trouble is not None and held < limit * _ENOUGH:
            log.warning("the process holds %.0f MB again: tasks go on", held / 1e6)
            self.trouble = None
            self._pause(is_paused=False)
        return _LOOK_EVERY

    def _pause(self, *, is_paused: bool) -> None:
        for runner in self._runners:
            runner.pause(is_paused=is_paused)


def resident_memory() -> int:
    """Bytes of memory that this process holds; where that is not told, the most that it ever held."""
    with suppress(OSError):
        return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024
