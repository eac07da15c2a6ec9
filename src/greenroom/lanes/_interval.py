"""The switch interval: how long one thread keeps the interpreter before another that asks for it gets it.

With Python's own 5 ms, each of a request's waits for its turn takes 5 ms while a thread computes: the site's p99 was
2,498 ms, and with a quarter of a millisecond it is 3 ms. The loop waits for all threads that compute, one after the
other, and so each of several has a part of that quarter.
"""

from __future__ import annotations

import sys

from greenroom._native import allocate_lock

SHORT = 0.00025  # while one thread runs an errand
SHORTEST = 0.00005  # however many do: any less, and they do little else than take turns

_lock = allocate_lock()
_running = 0
_before: float | None = None  # what it was, if it is ours to put back
_ours = 0.0


def shorten() -> None:
    """One more errand runs on a thread."""
    global _running, _before, _ours  # noqa: PLW0603  (the interval is the interpreter's, and so one for all lanes)
    with _lock:
        _running += 1
        if _running == 1 and sys.getswitchinterval() > SHORT:
            _before = _ours = sys.getswitchinterval()
        _share()


def restore() -> None:
    """One less. After the last, it is what it was before, unless somebody else has changed it meanwhile."""
    global _running, _before  # noqa: PLW0603
    with _lock:
        _running -= 1
        _share()
        if not _running:
            _before = None


def _share() -> None:
    global _ours  # noqa: PLW0603
    if _before is not None and sys.getswitchinterval() == _ours:  # else it is somebody else's
        sys.setswitchinterval(max(SHORTEST, SHORT / _running) if _running else _before)
        _ours = sys.getswitchinterval()
