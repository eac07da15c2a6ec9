"""A dead man's switch: unless the loop turns again in time, it shows what holds it, and may end the process.

Its timers send signals that `faulthandler` answers in C, so that it speaks even while C code holds the GIL, when no
thread of Python's could. It costs nothing while the loop waits.
"""

from __future__ import annotations

import atexit
import faulthandler
import signal
import sys
from contextlib import suppress

from greenroom._alarm import NoAlarm, ThreadTimer

_RESET = 4  # times that it is wound up within the time it gives


class DeadMan:
    """Prints the stack of what runs in this thread after `dump_after` seconds, and aborts after `abort_after`.

    Raises NoAlarm where the system has no such timers.
    """

    def __init__(self, dump_after: float, abort_after: float | None) -> None:
        self._dump_after = dump_after
        self.abort_after = abort_after
        self._wound_at = 0.0
        self._signal = getattr(signal, "SIGRTMAX", 64) - 3
        if signal.getsignal(self._signal) not in (signal.SIG_DFL, signal.SIG_IGN):
            raise NoAlarm(f"signal {self._signal} is in use")
        try:
            sys.stderr.fileno()
        except (AttributeError, OSError, ValueError):
            raise NoAlarm("stderr is no file that could be written to") from None
        self._dump = ThreadTimer(self._signal)
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
            self._dump.set(self._dump_after)
            if self._abort is not None and self.abort_after is not None:
                self._abort.set(self.abort_after)

    def rest(self) -> None:
        """The loop waits: nothing is expected of it."""
        self._wound_at = 0.0
        self._dump.set(0.0)
        if self._abort is not None:
            self._abort.set(0.0)

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
