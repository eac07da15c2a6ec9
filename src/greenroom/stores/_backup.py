"""A backup: a whole and consistent copy of a database that is in use, made by SQLite itself."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from greenroom.errors import InvalidOption, StoreError, StoreUnavailable


def back_up(path: Path, target: Path, connection: sqlite3.Connection | None = None) -> None:
    """Copy the database at `path`, or what `connection` has open, into a new file. Takes long: not for the hub.

    Nobody waits for it who writes meanwhile. The copy comes to its place when it is whole and synced, and never in
    the place of anything else. Raises InvalidOption, or StoreError.
    """
    if target.exists():
        raise _taken(target)
    partial = target.with_name(target.name + ".partial")
    try:
        os.close(os.open(partial, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        raise InvalidOption(
            f"{partial} is there: of a backup that is being made, or was broken off. Delete it."
        ) from None
    except OSError as error:
        raise InvalidOption(f"no backup can be written to {target}: {error.strerror}. Name another file.") from error
    try:
        _copy(path, partial, connection)
        os.link(partial, target)  # which, unlike a rename, overwrites nothing
        _sync(target.parent)
    except FileExistsError:
        raise _taken(target) from None
    except (sqlite3.Error, OSError) as error:
        raise StoreError(
            f"sqlite:///{path} could not be copied to {target}: {error}. Is there room for it, and is the file whole?"
        ) from error
    finally:
        partial.unlink(missing_ok=True)


def _copy(path: Path, partial: Path, connection: sqlite3.Connection | None) -> None:
    if connection is not None:
        connection.execute("VACUUM INTO ?", (str(partial),))
    else:
        if not path.exists():
            raise StoreUnavailable(f"sqlite:///{path}: there is no such file. Name the one that the app uses.")
        uri = f"file:{quote(str(path))}?mode=rw"
        with closing(sqlite3.connect(uri, uri=True, isolation_level=None, timeout=30)) as own:
            own.execute("VACUUM INTO ?", (str(partial),))
    _sync(partial)  # SQLite leaves that to the system
    with closing(sqlite3.connect(partial)) as copy:
        (found,) = copy.execute("PRAGMA quick_check(1)").fetchone()
        if found != "ok":
            raise sqlite3.DatabaseError(f"the copy is not whole: {found}")


def _sync(path: Path) -> None:
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def _taken(target: Path) -> InvalidOption:
    return InvalidOption(
        f"{target} is there already, and a backup overwrites nothing. Name a file that is not there."
    )
