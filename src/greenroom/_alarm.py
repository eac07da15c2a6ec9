"""An alarm: a signal to the main thread, after a while and then at an interval, that costs nothing while it is off.

Where the system has timers that are aimed at one thread, the signal is SIGURG: ignored by default, so that nothing
dies of one that comes late, and `setitimer` is left to whoever else wants it. Elsewhere it is SIGALRM by `setitimer`.
"""

from __future__ import annotations

import atexit
import ctypes
import signal
import sys
from collections.abc import Callable
from functools import partial
from threading import current_thread, main_thread
from types import FrameType
from typing import Any

from greenroom._native import get_native_id

Handler = Callable[[int, FrameType | None], object]

_CLOCK_MONOTONIC = 1
_SIGEV_THREAD_ID = 4
_STEP, _DIGITS = 0.0001, 4  # seconds, and their digits: no timer is set more finely


class NoAlarm(Exception):
    """There can be none here; the text says why."""


class _Moment(ctypes.Structure):
    _fields_ = (("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long))


class _Setting(ctypes.Structure):
    _fields_ = (("interval", _Moment), ("first", _Moment))


class _Event(ctypes.Structure):
    """What C calls `struct sigevent`, as Linux has it on 64 bits."""

    _fields_ = (
        ("value", ctypes.c_void_p),
        ("signal", ctypes.c_int),
        ("notify", ctypes.c_int),
        ("thread", ctypes.c_int),
        ("rest", ctypes.c_char * 44),
    )


class ThreadTimer:
    """A timer of the kernel's that sends a signal to the thread that made it. Linux only."""

    def __init__(self, signal_number: int) -> None:
        # PyDLL and not CDLL: these calls take a microsecond, and giving up the GIL for it takes longer.
        libc = ctypes.PyDLL(None, use_errno=True)
        try:
            create, self._set, self._delete = libc.timer_create, libc.timer_settime, libc.timer_delete
        except AttributeError:
            raise NoAlarm("this system's C library has no timer_create") from None
        self._create = create
        self._signal = signal_number
        self._timer = ctypes.c_void_p()
        self._settings: dict[tuple[float, float], Any] = {}
        self.renew()

    def renew(self) -> None:
        """Make the timer, for this thread: a child does not inherit those of the process that forked it."""
        event = _Event(signal=self._signal, notify=_SIGEV_THREAD_ID, thread=get_native_id())
        if self._create(_CLOCK_MONOTONIC, ctypes.byref(event), ctypes.byref(self._timer)):
            raise NoAlarm(f"timer_create failed with errno {ctypes.get_errno()}")

    def set(self, first: float, interval: float = 0.0) -> None:
        """Send the signal in `first` seconds, and again at each `interval` unless that is 0. 0, 0: never."""
        if first:  # in steps, for what it was ever set to is kept
            first = max(_STEP, round(first, _DIGITS))
        setting = self._settings.get((first, interval))
        if setting is None:
            setting = _Setting(_moment(interval), _moment(first))
            self._settings[first, interval] = setting = ctypes.byref(setting)
        self._set(self._timer, 0, setting, None)

    def close(self) -> None:
        self._delete(self._timer)


class ProcessTimer:
    """The process's one interval timer of real time."""

    def __init__(self) -> None:
        if not hasattr(signal, "setitimer"):
            raise NoAlarm("this platform has no setitimer")
        if signal.getitimer(signal.ITIMER_REAL) != (0.0, 0.0):
            raise NoAlarm("the timer is in use already (signal.setitimer), by a debugger or a test's time limit?")

    def renew(self) -> None:
        """Nothing to make: each process has it."""

    def set(self, first: float, interval: float = 0.0) -> None:
        signal.setitimer(signal.ITIMER_REAL, first, interval)

    def close(self) -> None:
        self.set(0.0)


class Alarm:
    """Calls `handler` on the main thread, between two instructions of whatever runs there.

    `lapsed` is called when it has been put off because another program is about to take this one's place.
    Raises NoAlarm where that cannot be had: in another thread, or where every means to it is taken.
    """

    def __init__(self, handler: Handler, lapsed: Callable[[], object]) -> None:
        if current_thread() is not main_thread():
            raise NoAlarm("signals are a matter of the main thread, and this is another one")
        self._timer, self._signal = _best_timer()
        self._handler = handler
        self._lapsed = lapsed
        self._before = signal.signal(self._signal, handler)
        signal.siginterrupt(self._signal, False)  # system calls of C libraries must not begin to fail
        self.set = self._timer.set
        # A __del__ that is C all through. (signal.raise_signal would not do: it handles the signal at once.)
        ring = partial(getattr(ctypes.PyDLL(None), "raise"), int(self._signal))
        self._echo = type("Echo", (), {"__slots__": (), "__del__": staticmethod(ring)})
        atexit.register(self.close)
        if isinstance(self._timer, ProcessTimer):
            _watch_for_exec(self._lapse)

    @property
    def means(self) -> str:
        """By what it rings."""
        kind = "a timer of this thread's own" if isinstance(self._timer, ThreadTimer) else "the process's timer"
        return f"{kind} ({self._signal.name})"

    def off(self) -> None:
        self._timer.set(0.0)

    def echo(self) -> object:
        """Something that lets the alarm ring once more as it goes.

        Held by the handler's own frame it goes when that has returned, with no instruction of the handler's after it;
        so the echo is heard where the interpreter looks for signals next, and not within the handler.
        """
        return self._echo()

    def renew(self) -> None:
        """This is a forked child: it begins with an alarm of its own, which is off."""
        self._timer.renew()

    def close(self) -> None:
        """Off for good, and the signal's handler is what it was before, unless the program has set one since."""
        atexit.unregister(self.close)
        _before_exec.discard(self._lapse)
        self._timer.close()
        if signal.getsignal(self._signal) == self._handler:
            signal.signal(self._signal, self._before)

    def _lapse(self) -> None:
        self.off()  # which may be answered by one more ring, that winds it again
        self._lapsed()
        self.off()


_before_exec: set[Callable[[], object]] = set()
_watches_for_exec = False


def _watch_for_exec(lapse: Callable[[], object]) -> None:
    """The process's timer outlives its program, and SIGALRM would end the next one."""
    global _watches_for_exec  # noqa: PLW0603
    _before_exec.add(lapse)
    if not _watches_for_exec:
        _watches_for_exec = True
        sys.addaudithook(_heed_exec)


def _heed_exec(event: str, _arguments: tuple[Any, ...]) -> None:
    if event == "os.exec":
        for lapse in list(_before_exec):
            lapse()


def _best_timer() -> tuple[ThreadTimer | ProcessTimer, signal.Signals]:
    reasons = []
    if sys.platform == "linux" and _is_free(signal.SIGURG):
        try:
            return ThreadTimer(signal.SIGURG), signal.SIGURG
        except NoAlarm as reason:
            reasons.append(str(reason))
    if hasattr(signal, "SIGALRM") and _is_free(signal.SIGALRM):
        try:
            return ProcessTimer(), signal.SIGALRM
        except NoAlarm as reason:
            reasons.append(str(reason))
    raise NoAlarm("; ".join(reasons) or "the program has handlers of its own for SIGURG and SIGALRM")


def _is_free(number: signal.Signals) -> bool:
    return signal.getsignal(number) in (signal.SIG_DFL, signal.SIG_IGN)


def _moment(seconds: float) -> _Moment:
    return _Moment(int(seconds), int(seconds % 1 * 1e9))
