"""The keeper: lets the ledger write to the file, one transaction after the other, and sees to what may befall it.

The connection is given up when an error has left it in doubt, and made anew; never to another file than the one that
was opened, and never to one that is damaged.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from greenroom.clock import SystemClock
from greenroom.errors import StoreCorrupt, StoreFull, StoreUnavailable
from greenroom.stores._ballast import Ballast
from greenroom.stores._condition import Condition
from greenroom.stores._fault import fault_of, full, spoils
from greenroom.stores._file import connect
from greenroom.stores._inspection import Before, inspect, keep_copy
from greenroom.stores._lock import FileLock
from greenroom.stores._place import Place

LOOK = 1.0  # seconds between looks at whether all is well
LOG_CAP = 256 << 20  # bytes: the log is that long only if somebody keeps it from being moved to the file

# What is wrong with the file, the disk or the system, and meets whatever is asked.
FAULTS = (sqlite3.Error, OSError, MemoryError, StoreUnavailable)

log = logging.getLogger("greenroom.store")

_open_here: list[Path] = []  # by this process; each as often as it is


class Keeper:
    """All of it runs on the writer's thread, but for `trouble` and `note_damage`."""

    def __init__(self, path: Path, *, durability: str) -> None:
        self._path = path
        self._durability = durability
        self.lock = FileLock(path.with_name(path.name + ".lock"))
        self.place = Place(path)
        self._ballast = Ballast(path)
        self._condition = Condition(f"sqlite:///{path}")
        self._log = Condition(f"sqlite:///{path}-wal")
        self._clock = SystemClock()
        self._connection: sqlite3.Connection | None = None
        self._is_open = False
        self._damage: StoreCorrupt | None = None
        self._looked_at = 0.0

    @property
    def trouble(self) -> StoreUnavailable | None:
        """What is wrong just now. Any thread may ask."""
        return self._damage or self._condition.trouble or self._log.trouble

    def open(self, prepare: Callable[[sqlite3.Connection], None]) -> None:
        """Connect, see that the file is whole, and do what makes it ready, in one transaction."""
        try:
            self._open(prepare)
        except FAULTS as error:
            if not isinstance(self.fault(error), StoreFull) or not self._ballast.spend():
                raise
            self._give_up()
            self._open(prepare)
        self.no_room()

    def _open(self, prepare: Callable[[sqlite3.Connection], None]) -> None:
        with self.lock:  # two that turn a new file to WAL at the same time find it locked, and do not wait
            is_open_here = self._path in _open_here
            if not is_open_here:
                before = Before(self._ballast.was_laid_in(), self.lock.same_boot(), self._durability == "disk")
                inspect(self._path, before)
            elif not self._is_open:
                log.warning(
                    "sqlite:///%s is opened twice by this process. If these are two rooms, each takes jobs of tasks "
                    "that only the other knows, and parks them: make one, in a module of its own, and import it.",
                    self._path,
                )
            self._connection = connect(self._path, durability=self._durability)
        self.place.remember()
        if not self._is_open:  # else it is tried again, with more room on the disk
            self._is_open = True
            _open_here.append(self._path)
        with self.transaction() as connection:
            prepare(connection)

    @contextmanager
    def alone(self) -> Iterator[sqlite3.Connection]:
        """No other process writes meanwhile. Whoever comes out of it without an error may tell others that it is
        stored, once it is committed."""
        with self.lock:
            if self._damage is not None or self._condition.trouble is not None:
                self._check_again()
            yield self.connection()
            self.place.confirm()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All of it is stored, or nothing."""
        with self.alone() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:  # SQLite has rolled back by itself when the disk is full
                    with suppress(sqlite3.Error):  # of two errors the first is told
                        connection.execute("ROLLBACK")
                raise

    def connection(self) -> sqlite3.Connection:
        """The connection, made anew if it was given up."""
        if self._connection is None:
            self._connection = self._open_again()
        return self._connection

    def no_room(self) -> StoreUnavailable | None:
        """Why nothing new can be taken, if so."""
        if not self._ballast.is_spent or self._ballast.lay_in():
            return None
        return self._condition.trouble or full(self._path)

    def make_room(self) -> bool:
        """The disk is full: give up what was kept for that, so that what runs can be recorded. False if it was."""
        if not self._ballast.spend():
            return False
        with self.trying():  # the log is used again from its beginning, as far as it has been moved to the file
            self.connection().execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        return True

    def fault(self, error: Exception) -> StoreUnavailable:
        """What the error means. If it is more than a mistake in what was asked, it is noted, and the connection given
        up that met it."""
        fault = fault_of(error, self._path)
        if isinstance(fault, StoreCorrupt):
            # What never was a database is not ours to copy.
            is_foreign = not self._is_open and getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_NOTADB
            fault = self._damage = self._damage or (fault if is_foreign else _kept(fault, self._path))
        is_spoilt = spoils(error) or self._damage is not None
        if is_spoilt:
            self._give_up()
        if self._is_open and (is_spoilt or type(fault) is not StoreUnavailable):
            self._condition.worsen(fault)
        return fault

    def note_damage(self, damage: StoreCorrupt) -> None:
        """The file was found to be damaged: nothing more is written to it. Any thread may say so."""
        if self._damage is None:
            self._damage = damage  # at once: to copy it takes a while
            self._damage = _kept(damage, self._path)
            self._condition.worsen(self._damage)

    def is_well(self) -> None:
        """Something was stored just now."""
        if self._condition.trouble is not None and not self._ballast.is_spent:
            self._recover()

    def look(self, write: Callable[[], None]) -> None:
        """Each second: see whether all is well; after trouble, by having something written."""
        now = self._clock.monotonic()
        if now - self._looked_at < LOOK:
            return
        self._looked_at = now
        with self.trying():
            if self.no_room() is not None:
                return
            self._check_again()
            if self._condition.trouble is not None:
                write()
                self._recover()
            self._check_log()

    @contextmanager
    def trying(self) -> Iterator[None]:
        """Do what nobody waits for: trouble is noted, and that is all."""
        try:
            yield
        except FAULTS as error:
            self.fault(error)

    def forsake(self) -> None:
        """This is a forked child: the connection stays as it is. The lock's file is shared with the parent, and would
        stay locked if that died in a transaction."""
        self.lock.close()

    def close(self) -> None:
        with self.trying(), self.lock:  # whoever opens the file just now must not meet it half tidied up
            self._leave()
        self._leave()  # also if the lock was not to be had
        self.lock.close()

    def _leave(self) -> None:
        self._give_up()
        if self._is_open:
            self._is_open = False
            _open_here.remove(self._path)

    def _give_up(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
            self.place.forget_what_is_beside()  # SQLite may have tidied it up, and makes it anew

    def _open_again(self) -> sqlite3.Connection:
        if not self._is_open:
            raise StoreUnavailable(f"sqlite:///{self._path} is closed: nothing can be stored any more.")
        self._check_again()
        connection = connect(self._path, durability=self._durability)
        try:
            # What a failed sync has left in the log may count as synced, and is not on disk: whatever came after it
            # in the log would be lost with it. So all of it goes into the file, and the log begins anew.
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            self.place.confirm()
        except BaseException:
            connection.close()
            raise
        return connection

    def _recover(self) -> None:
        if self._damage is None:  # that may have been found in the midst of a commit, which succeeds all the same
            self._condition.recover()

    def _check_again(self) -> None:
        if self._damage is not None:
            raise self._damage
        self.place.look()

    def _check_log(self) -> None:
        size = self.place.log_size()
        if size > LOG_CAP:
            self._log.worsen(
                StoreUnavailable(
                    f"sqlite:///{self._path}: its log {self._path.name}-wal has grown to {size >> 20} MB, for "
                    "somebody reads in a transaction that does not end, and keeps it from being moved to the file. "
                    "End that program."
                )
            )
        else:
            self._log.recover()


def _kept(damage: StoreCorrupt, path: Path) -> StoreCorrupt:
    return StoreCorrupt(f"{damage} {keep_copy(path)}")
