"""A checkup: a file too large to be looked through before it is used is so once, beside those who use it.

It takes a core 2 to 3 ms for each megabyte, and a claim beside it takes up to four times as long. So it waits until
nothing has been written here for a moment; where something always is, no longer than a minute.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from math import inf
from pathlib import Path

from greenroom._native import allocate_lock, be_idle, start_thread
from greenroom.clock import SystemClock
from greenroom.errors import StoreCorrupt
from greenroom.stores._fault import fault_of
from greenroom.stores._file import connect
from greenroom.stores._inspection import LARGE, SMALL, check
from greenroom.stores._keeper import FAULTS
from greenroom.stores._place import Place

REST = 1.0  # seconds in which nothing was written
LATEST = 60.0  # seconds from when the file was opened
_STEP = 0.05  # seconds: a check that is about to begin does not hear that it is to end

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
        self._is_due = self._is_closed = False
        self._opened_at = self._written_at = 0.0
        self._running = allocate_lock()  # held while it is under way
        self._connection: sqlite3.Connection | None = None

    def opened(self) -> None:
        """The file is open now."""
        self._opened_at = self._written_at = self._clock.monotonic()
        self._is_due = SMALL < self._path.stat().st_size <= LARGE

    def written(self) -> None:
        """Something was written just now."""
        self._written_at = self._clock.monotonic()

    def look(self) -> float:
        """Begin if it is time, or else say in how many seconds to look again."""
        if not self._is_due:
            return inf
        now = self._clock.monotonic()
        begins = min(self._written_at + REST, self._opened_at + LATEST)
        if now < begins:
            return begins - now
        self._is_due = False
        self._running.acquire()
        try:
            start_thread(self._run)
        except RuntimeError as error:  # the system has no thread left
            self._running.release()
            log.warning("sqlite:///%s could not be checked: %s", self._path, error)
        return inf

    def close(self) -> None:
        """End it: the file is to be closed, and to open it anew beside a connection would drop SQLite's locks."""
        self._is_due, self._is_closed = False, True
        self._interrupt()
        while not self._running.acquire(timeout=_STEP):
            self._interrupt()
        self._running.release()

    def _interrupt(self) -> None:
        if self._connection is not None:
            with suppress(sqlite3.ProgrammingError):  # it is closed already
                self._connection.interrupt()

    def _run(self) -> None:
        be_idle()
        try:
            self._check()
        except FAULTS as error:
            fault = fault_of(error, self._path)
            if self._is_closed:
                return
            if isinstance(fault, StoreCorrupt):
                self._damaged(fault)
            else:
                log.warning("sqlite:///%s could not be checked: %s", self._path, fault)
        finally:
            self._running.release()

    def _check(self) -> None:
        with closing(connect(self._path, durability=self._durability, read_only=True)) as self._connection:
            self._place.confirm()
            try:
                check(self._connection, self._path)
            finally:
                self._place.confirm()  # if it is another file by now, that says so
