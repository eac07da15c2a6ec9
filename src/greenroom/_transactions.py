"""Transactions: whether a greenlet keeps others from writing to a database of SQLite.

SQLite makes whoever wants to write wait, in C, for the one transaction that does. A task put aside in the middle of
one would have the next writer, which may be a request, hold up the loop until it gives up; so such a task is left to
go on. A connection counts as that of who has used it last. One whose user has ended, or is no task's greenlet, is
anybody's in that thread.

Without a transaction a statement is one by itself until its last row is fetched: an `INSERT ... RETURNING`, and where
there is no write-ahead log a SELECT as well. For that alone nobody is left to go on for longer than a moment.
"""

from __future__ import annotations

import os
import sqlite3
import time
from functools import lru_cache
from pathlib import Path
from typing import Any
from weakref import WeakSet, ref

from gevent import getcurrent

from greenroom._native import get_ident

_MODULES: tuple[Any, ...] = (sqlite3, sqlite3.dbapi2)
_BEFORE_FACTORY = 5  # parameters of sqlite3.connect that may be given by position ahead of it
MOMENT = 0.1  # seconds


class WatchedConnection(sqlite3.Connection):
    """What sqlite3.connect makes while transactions are watched."""

    used_by: ref[Any]  # a greenlet,
    used_in: int  # and its thread
    log = Path()  # its write-ahead log, where it is if there is one

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.half_read: dict[int, ref[WatchedCursor]] = {}  # cursors, by their ids
        self.note_user()

    def cursor(self, factory: Any = sqlite3.Cursor) -> Any:
        is_class = isinstance(factory, type) and issubclass(factory, sqlite3.Cursor)
        return super().cursor(_watched(factory) if is_class else factory)

    # Its base would make a cursor without asking for it.
    def execute(self, *args: Any) -> Any:
        return self.cursor().execute(*args)

    def executemany(self, *args: Any) -> Any:
        return self.cursor().executemany(*args)

    def executescript(self, *args: Any) -> Any:
        return self.cursor().executescript(*args)

    def note_user(self) -> None:
        """It is used by who calls this."""
        self.used_by, self.used_in = ref(getcurrent()), get_ident()

    def is_in_transaction(self) -> bool:
        """Whether it has one open."""
        try:
            return self.in_transaction
        except sqlite3.ProgrammingError:  # it is closed
            return False

    def is_in_statement(self, held: float) -> bool:
        """Whether it has one half read that keeps others from writing, by a task that has run for so many seconds."""
        for known in list(self.half_read.values()):
            cursor = known()
            if cursor is not None and cursor.locks(held):
                return True
        return False


class WatchedCursor(sqlite3.Cursor):
    """Knows whether all its rows have been fetched. While SQLite calls a function of Python's, it is on the stack."""

    connection: WatchedConnection
    _since = 0.0  # when it was executed, on time.perf_counter's clock

    def execute(self, *args: Any) -> Any:
        self._begin()
        super().execute(*args)
        if self.description is not None:
            self._since = time.perf_counter()
            self.connection.half_read[id(self)] = ref(self)
        return self

    def executemany(self, *args: Any) -> Any:
        self._begin()
        return super().executemany(*args)

    def executescript(self, *args: Any) -> Any:
        self._begin()
        return super().executescript(*args)

    def fetchone(self) -> Any:
        row = super().fetchone()
        if row is None or not self._writes():  # of what is read, that is the only one, most likely
            self._end()
        return row

    def fetchmany(self, size: int | None = None) -> list[Any]:
        size = self.arraysize if size is None else size
        rows = super().fetchmany(size)
        if len(rows) < size:
            self._end()
        return rows

    def fetchall(self) -> list[Any]:
        rows = super().fetchall()
        self._end()
        return rows

    def __iter__(self) -> Any:
        fetch = super().__next__  # with a `__next__` of our own it would take twice as long
        try:
            while True:
                yield fetch()
        except StopIteration:
            self._end()

    def close(self) -> None:
        self._end()
        super().close()

    def locks(self, held: float) -> bool:
        """Whether it keeps others from writing just now."""
        if time.perf_counter() - self._since >= MOMENT:
            return False
        if self._writes():
            return self.rowcount == 0  # how many rows were written is known once all are fetched
        return held < MOMENT and not self.connection.log.exists()

    def _writes(self) -> bool:
        return self.rowcount != -1

    def _begin(self) -> None:
        self.connection.note_user()
        self._end()

    def _end(self) -> None:
        self.connection.half_read.pop(id(self), None)


class Transactions:
    """Those of the connections that are made in this thread, while it watches."""

    def __init__(self) -> None:
        self._connections: WeakSet[WatchedConnection] = WeakSet()
        self._home = get_ident()
        self._connect: Any = None

    def watch(self) -> None:
        """Have sqlite3.connect tell of connections."""
        self._connect = sqlite3.connect
        for module in _MODULES:
            module.connect = self._make

    def unwatch(self) -> None:
        """Give sqlite3.connect back, unless somebody has put something else in its place."""
        for module in _MODULES:
            if module.connect == self._make:
                module.connect = self._connect
        self._connections.clear()

    def is_within(self, greenlet: Any, held: float) -> bool:
        """Whether it, which has held the loop for so many seconds, has a transaction open, as far as can be known."""
        for connection in list(self._connections):
            if connection.used_in != self._home:
                continue
            user = connection.used_by()
            is_own = user is greenlet or user is None or user.dead or user.parent is None
            if is_own and (connection.is_in_transaction() or connection.is_in_statement(held)):
                return True
        return False

    def _make(self, *args: Any, **kwargs: Any) -> sqlite3.Connection:
        if get_ident() != self._home or "factory" in kwargs or len(args) > _BEFORE_FACTORY:
            made: sqlite3.Connection = self._connect(*args, **kwargs)
            return made
        watched: WatchedConnection = self._connect(*args, **kwargs, factory=WatchedConnection)
        database = os.fsdecode(args[0] if args else kwargs["database"])
        watched.log = Path("/" if database == ":memory:" else f"{database}-wal")  # the former is nobody else's
        self._connections.add(watched)
        return watched


@lru_cache(maxsize=100)
def _watched(factory: type[sqlite3.Cursor]) -> type[sqlite3.Cursor]:
    """The same kind of cursor, watched."""
    return WatchedCursor if factory is sqlite3.Cursor else type(factory.__name__, (WatchedCursor, factory), {})
