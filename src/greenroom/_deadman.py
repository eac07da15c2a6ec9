"""A dead man's switch: unless the loop turns again in time, it shows what holds it, and may end the process.

It speaks from Python if that gets to run, and a moment later from C: its timers send signals that `faulthandler`
answers even while C code holds the GIL, when no thread of Python's could. It costs nothing while the loop waits.
"""

from __future__ import annotations

import atexit
import faulthandler
import os
import signal
import sys
from contextlib import suppress

from greenroom._alarm import NoAlarm, ThreadTimer

_RESET = 4  # times that it is wound up within the time it gives
_MARGIN = 0.2  # seconds that Python is given to speak first: from its own handlers it sees frames that are whole
# Python 3.13 may die of a stack that is walked in the midst of an instruction. Whoever is only to be shown must live.
_SHOWS_FROM_C = sys.version_info < (3, 13)


class DeadMan:
    """Prints the stack of what runs in this thread after `dump_after` seconds, and aborts after `abort_after`.

    Raises NoAlarm where the system has no such timers.
    """

    def __init__(self, dump_after: float, abort_after: float | None) -> None:
        self._dump_after = dump_after
        self.abort_after = abort_after
        self._wound_at = 0.0
        self._has_shown = False
        self._signal = getattr(signal, "SIGRTMAX", 64) - 3
        if signal.getsignal(self._signal) not in (signal.SIG_DFL, signal.SIG_IGN):
            raise NoAlarm(f"signal {self._signal} is in use")
        try:
            sys.stderr.fileno()
        except (AttributeError, OSError, ValueError):
            raise NoAlarm("stderr is no file that could be written to") from None
        self._dump = ThreadTimer(self._signal) if _SHOWS_FROM_C else None
        faulthandler.register(self._signal, file=sys.stderr, all_threads=False)
        self._abort = None if abort_after is None else ThreadTimer(signal.SIGABRT)
        self._timers = [timer for timer in (self._dump, self._abort) if timer is not None]
        self._enabled = abort_after is not None and not faulthandler.is_enabled()
        if self._enabled:
            faulthandler.enable(file=sys.stderr, all_threads=False)
        atexit.register(self.close)  # a process that ends does not turn its loop any more

    @property
    def is_wound(self) -> bool:
        return self._wound_at > 0.0

    def wind(self, now: float) -> None:
        """The loop turns: give it the whole time again."""
        if now - self._wound_at > self._dump_after / _RESET:
            self._wound_at = now
            self._has_shown = False
            if self._dump is not None:
                self._dump.set(self._dump_after + _MARGIN)
            if self._abort is not None and self.abort_after is not None:
                self._abort.set(self.abort_after + _MARGIN)

    def watch(self, held: float) -> None:
        """Python runs, in a turn of the loop that is so many seconds old."""
        if self.abort_after is not None and held >= self.abort_after:
            os.abort()
        if held >= self._dump_after and not self._has_shown:
            self._has_shown = True
            if self._dump is not None:
                self._dump.set(0.0)
            faulthandler.dump_traceback(file=sys.stderr, all_threads=False)

    def rest(self) -> None:
        """The loop waits: nothing is expected of it."""
        self._wound_at = 0.0
        for timer in self._timers:
            timer.set(0.0)

    def renew(self) -> None:
        """This is a forked child: nothing is expected of it until it turns a loop of its own."""
        self._wound_at = 0.0
        for timer in self._timers:
            timer.renew()

    def close(self) -> None:
        atexit.unregister(self.close)
        for timer in self._timers:
            timer.close()
        with suppress(ValueError):
            faulthandler.unregister(self._signal)
        if self._enabled:
            faulthandler.disable()
