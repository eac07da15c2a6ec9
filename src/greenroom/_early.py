"""Early birds: modules of the standard library that were imported before it was patched, and keep what is native.

Where they ask for the thread, or take a lock once in the life of a process, a task that is put aside there would be
in the way of others: a native lock is waited for by the whole thread, for ever.
"""

from __future__ import annotations

import _thread
import reprlib
import sys
from contextlib import suppress


def settle() -> None:
    """Have each greenlet counted as the thread that it is to them, and take the locks that are taken once."""
    reprlib.get_ident = _thread.get_ident  # type: ignore[attr-defined]  # gevent's by now
    tempfile = sys.modules.get("tempfile")
    if tempfile is not None:
        with suppress(OSError):  # there is nowhere to make files: whoever wants one is told
            tempfile.gettempdir()
        tempfile._get_candidate_names()  # noqa: SLF001  (its other lock)
