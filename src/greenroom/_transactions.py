"""Transactions: whether a greenlet has a transaction of SQLite open.

SQLite makes whoever wants to write wait, in C, for the one transaction that does. A task put aside in the middle of
one would have the next writer, which may be a request, hold up the loop until it gives up; so such a task is left to
go on. A connection counts as its maker's. One whose maker has ended, or is no task's greenlet, is anybody's.

Without a transaction, `INSERT ... RETURNING` is one by itself until its last row is fetched, as Django does it.
"""

from __future__ import annotations

import sqlite3
import time
from typing import Any
from weakref import WeakKeyDictionary, ref

from gevent import getcurrent

from greenroom._native import get_ident

_MODULES: tuple[Any, ...] = (sqlite3, sqlite3.dbapi2)
_HALF_READ = 0.1  # seconds for which a statement may be: one that found no rows looks as if it was, for ever
_BEFORE_FACTORY = 5  # parameters of sqlite3.connect that may be given by position ahead of it


class WatchedConnection(sqlite3.Connection):
    """What sqlite3.connect makes while transactions are watched. Unlike its base it can be referred to weakly."""

    _last: ref[sqlite3.Cursor] | None = None
    _statement: object = None  # what seemed to be half read when that was last asked,
    _since = 0.0  # and since when, on time.perf_counter's clock

    def cursor(self, *args: Any, **kwargs: Any) -> Any:
        cursor = super().cursor(*args, **kwargs)
        self._last = ref(cursor)
        return cursor

    def execute(self, *args: Any) -> Any:
        return self.cursor().execute(*args)  # its base would make the cursor without asking for it

    def is_half_read(self) -> bool:
        """Whether the last statement writes, and gives rows of which some have yet to be fetched."""
        cursor = None if self._last is None else self._last()
        # The number of rows is known once all are fetched. A statement that only reads, or gives no rows, has other
        # signs; and what describes the rows is made anew for each.
        statement = cursor.description if cursor is not None and cursor.rowcount == 0 else None
        now = time.perf_counter()
        if statement is not self._statement:
            self._statement, self._since = statement, now
        return statement is not None and now - self._since < _HALF_READ


class Transactions:
    """Those of the connections that are made in this thread, while it watches."""

    def __init__(self) -> None:
        self._makers: WeakKeyDictionary[WatchedConnection, ref[Any]] = WeakKeyDictionary()
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
        self._makers.clear()

    def is_within(self, greenlet: Any) -> bool:
        """Whether it has a transaction open, as far as that can be known."""
        for connection, maker in list(self._makers.items()):
            made_by = maker()
            is_own = made_by is greenlet or made_by is None or made_by.dead or made_by.parent is None
            if is_own and (_is_in_transaction(connection) or connection.is_half_read()):
                return True
        return False

    def _make(self, *args: Any, **kwargs: Any) -> sqlite3.Connection:
        if get_ident() != self._home or "factory" in kwargs or len(args) > _BEFORE_FACTORY:
            made: sqlite3.Connection = self._connect(*args, **kwargs)
            return made
        watched: WatchedConnection = self._connect(*args, **kwargs, factory=WatchedConnection)
        self._makers[watched] = ref(getcurrent())
        return watched


def _is_in_transaction(connection: sqlite3.Connection) -> bool:
    try:
        return connection.in_transaction
    except sqlite3.ProgrammingError:  # it is closed
        return False
