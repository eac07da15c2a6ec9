"""The marks of the SQLite store: a row for each schedule, changed only from what it is known to be."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from greenroom.stores._rows import sql
from greenroom.stores.base import Mark, Tick


def move(connection: sqlite3.Connection, ticks: Sequence[Tick]) -> list[bool]:
    """Say of each tick whether its mark was as expected, and is changed now."""
    return [_is_moved(connection, tick) for tick in ticks]


def _is_moved(connection: sqlite3.Connection, tick: Tick) -> bool:
    match tick:
        case Tick(None, Mark() as new):
            changed = connection.execute(sql("mark_new"), new._asdict())
        case Tick(Mark() as old, Mark() as new):
            known = {f"old_{column}": value for column, value in old._asdict().items()}
            changed = connection.execute(sql("mark"), known | new._asdict())
        case Tick(Mark() as old, None):
            changed = connection.execute(sql("unmark"), old._asdict())
        case _:
            return False
    return changed.rowcount == 1
