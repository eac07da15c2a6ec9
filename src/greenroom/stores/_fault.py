"""A fault: what an error of SQLite's, or of the system's, means for whoever reads the log."""

from __future__ import annotations

import errno
import os
import sqlite3
from contextlib import suppress
from pathlib import Path

from greenroom.errors import StoreCorrupt, StoreFull, StoreReadOnly, StoreUnavailable

FULL = "Make room on the disk; it is tried again by itself."
READ_ONLY = "The app's user must be able to write to the file and to its folder; it is tried again by itself."
DAMAGED = "It is not used any more: stop the app, and restore a backup, or what `sqlite3 FILE .recover` saves."

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
_BLOCK = bytes(4096)

# After these the connection is as it was. Any other error leaves it in doubt: after a sync that failed, the next one
# succeeds though nothing has reached the disk, so that it must never be "tried again" on the same connection.
_HARMLESS = (
    sqlite3.SQLITE_ERROR,
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_INTERRUPT,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_SCHEMA,
)


class Unreadable(sqlite3.DatabaseError):
    """A row that is none of a job."""


def spoils(error: Exception) -> bool:
    """Whether the connection that met the error is to be given up."""
    return isinstance(error, sqlite3.Error) and _code(error) not in _HARMLESS


def full(path: Path) -> StoreFull:
    """What is said while the disk is known to be full."""
    return StoreFull(f"sqlite:///{path} cannot be used: the disk is full. {FULL}")


def fault_of(error: Exception, path: Path) -> StoreUnavailable:
    """The error as one of greenroom's, which names the file, the reason and the remedy."""
    if isinstance(error, StoreUnavailable):
        return error
    number, reason = None, str(error)
    if isinstance(error, OSError) and error.errno:
        number, reason = error.errno, str(error.filename or path)
    what = f"sqlite:///{path} cannot be used: {reason}"
    match _code(error):
        case sqlite3.SQLITE_FULL:
            return StoreFull(f"{what}. {FULL}")
        case sqlite3.SQLITE_READONLY:
            return StoreReadOnly(f"{what}. {READ_ONLY}")
        case sqlite3.SQLITE_CORRUPT:
            return StoreCorrupt(f"{what}. {DAMAGED}")
        case sqlite3.SQLITE_NOTADB:
            return StoreCorrupt(
                f"{what}. It is some other file: name another, or move it away. If it was greenroom's, its beginning "
                "is damaged: restore a backup."
            )
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return StoreUnavailable(f"{what}. Another program holds a transaction open on this file; end it.")
        case sqlite3.SQLITE_IOERR | sqlite3.SQLITE_CANTOPEN:
            return _by_number(_ask_the_disk(path), what)
    if isinstance(error, Unreadable) or "decode to UTF-8" in str(error):  # Python says so, and SQLite has no number
        return StoreCorrupt(f"{what}. {DAMAGED}")
    return _by_number(number, what)


def _code(error: Exception) -> int:
    return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF


def _ask_the_disk(path: Path) -> int | None:
    """Why nothing can be written there: SQLite says no more than that there was an error."""
    probe = path.with_name(path.name + ".probe")
    try:
        file = os.open(probe, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            os.write(file, _BLOCK)
            os.fsync(file)
        finally:
            os.close(file)
            with suppress(OSError):
                probe.unlink()
    except OSError as error:
        return error.errno
    return None


def _by_number(number: int | None, what: str) -> StoreUnavailable:
    why = "" if number is None else f" ({os.strerror(number)})"
    if number in _NO_ROOM:
        return StoreFull(f"{what}{why}. {FULL}")
    if number == errno.EROFS:
        return StoreReadOnly(f"{what}{why}. {READ_ONLY}")
    if number in (errno.EMFILE, errno.ENFILE):
        return StoreUnavailable(f"{what}{why}. Find who leaves files open, or raise their limit (ulimit -n).")
    if number in (errno.EACCES, errno.EPERM):
        return StoreUnavailable(f"{what}{why}. {READ_ONLY}")
    return StoreUnavailable(f"{what}{why}. See the log of the disk.")
