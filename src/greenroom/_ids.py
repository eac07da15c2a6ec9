"""Job ids: 63-bit integers in time order, made by the process without asking the store.

42 bits of milliseconds since 1970, 9 bits of the worker's number, 12 bits of sequence. In time order they are
appended to the table instead of scattered over it, and an old one is known to be old by itself.
"""

from __future__ import annotations

from greenroom._native import allocate_lock

_SEQUENCE_BITS = 12
_TIME_SHIFT = _SEQUENCE_BITS + 9
_LAST = (1 << 63) - 1


def id_at(moment: int) -> int:
    """The smallest id that can have been made at that moment (microseconds) or later."""
    return moment // 1000 << _TIME_SHIFT


def id_in(text: str) -> int | None:
    """The id that this is the text of; None if it can be that of none."""
    if not text.isascii() or not text.isdigit() or len(text) > len(str(_LAST)):
        return None
    number = int(text)
    return number if number <= _LAST else None


class Ids:
    """Makes the ids of one worker, each greater than the one before, even if the clock goes back."""

    def __init__(self, worker: int) -> None:
        self.worker = worker
        self._slot = worker % 512 << _SEQUENCE_BITS
        self._last = 0
        self._lock = allocate_lock()

    def make(self, now: int) -> int:
        with self._lock:
            self._last = max(now // 1000 << _TIME_SHIFT | self._slot, self._last + 1)
            return self._last
