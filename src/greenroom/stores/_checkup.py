"""A checkup: a file too large to be looked through before it is used is so once, beside those who use it.

It takes a core 2 ms for each megabyte, and a claim beside it takes up to four times as long. So it waits until nobody
has asked anything of the store for a moment; where that never is, no longer than a minute.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import closing
from math import inf
from pathlib import Path

from greenroom._native import be_idle, start_thread
from greenroom.clock import SystemClock
from greenroom.errors import StoreCorrupt
from greenroom.stores._file import connect
from greenroom.stores._inspection import LARGE, SMALL, check
from greenroom.stores._keeper import FAULTS
from greenroom.stores._place import Place

REST = 1.0  # seconds in which nothing was asked
LATEST = 60.0  # seconds from when it was opened

log = logging.getLogger("greenroom.store")


class Checkup:
    """Of one file. `damaged` is called on a thread of the checkup's own."""

    def __init__(
        self, path: Path, place: Place, *, durability: str, damaged: Callable[[StoreCorrupt], object]
    ) -> None:
        self._path = path
        self._place = place
        self._durability = durability
        self._damaged = damaged
        self._clock = SystemClock()
        self._is_due = False
        self._opened_at = self._asked_at = 0.0

    def opened(self) -> None:
        """The file is open now."""
        self._opened_at = self._asked_at = self._clock.monotonic()
        self._is_due = SMALL < self._path.stat().st_size <= LARGE

    def asked(self) -> None:
        """Something was asked of the store."""
        self._asked_at = self._clock.monotonic()

    def look(self) -> float:
        """Begin if it is time, or else say in how many seconds to look again."""
        if not self._is_due:
            return inf
        now = self._clock.monotonic()
        begins = min(self._asked_at + REST, self._opened_at + LATEST)
        if now < begins:
            return begins - now
        self._is_due = False
        start_thread(self._check)
        return inf

    def _check(self) -> None:
        be_idle()
        try:
            with closing(connect(self._path, durability=self._durability, read_only=True)) as connection:
                self._place.confirm()
                check(connection, self._path)
        except StoreCorrupt as damage:
            self._damaged(damage)
        except FAULTS as error:
            log.warning("sqlite:///%s could not be checked: %s", self._path, error)
