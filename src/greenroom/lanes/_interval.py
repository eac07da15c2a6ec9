"""The switch interval: how long one thread keeps the interpreter before another that asks for it gets it.

With Python's own 5 ms, each of a request's few dozen waits for its turn takes 5 ms while a thread computes: the
site's p99 was 2,498 ms, and with half a millisecond it is 2.8 ms.
"""

from __future__ import annotations

import sys

from greenroom._native import allocate_lock

SHORT = 0.0005

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
            _before = sys.getswitchinterval()
            sys.setswitchinterval(SHORT)
            _ours = sys.getswitchinterval()


def restore() -> None:
    """One less. After the last, it is what it was before, unless somebody else has changed it meanwhile."""
    global _running, _before  # noqa: PLW0603
    with _lock:
        _running -= 1
        if _running == 0 and _before is not None:
            if sys.getswitchinterval() == _ours:
                sys.setswitchinterval(_before)
            _before = None
