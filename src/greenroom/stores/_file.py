"""The database file: made for its owner alone, and opened with the settings that durability asks for."""

from __future__ import annotations

import errno
import logging
import os
import sqlite3
from pathlib import Path
from urllib.parse import quote

from greenroom.errors import InvalidOption, NewerSchema, StoreUnavailable
from greenroom.stores._ballast import Ballast
from greenroom.stores._fault import fault_of
from greenroom.stores._rows import sql

log = logging.getLogger("greenroom.store")

_CHECKPOINT = 4000  # pages in the log before they are moved to the file
SCHEMA = 2  # each version has its upgrade_N.sql, which makes it of the one before


def prepare(path: Path) -> None:
    """Make an empty file, mode 0600, if there is none: the -wal and -shm files take after it."""
    if path.is_dir():
        raise InvalidOption(f"sqlite:///{path} is a folder: name a file in it, such as greenroom.db.")
    ballast = Ballast(path)
    if ballast.was_laid_in() and not path.exists():
        log.warning("sqlite:///%s: there was a store, and its file is not there any more. A new one is made.", path)
        ballast.forget()
    try:
        # Only ever a file that did not exist: opening and closing one that SQLite has open drops its locks.
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        pass
    except OSError as error:
        if not path.parent.is_dir():
            raise StoreUnavailable(
                f"sqlite:///{path}: there is no folder {path.parent}. Make it, or name another."
            ) from None
        raise unwritable(path, error) from error


def unwritable(path: Path, error: OSError) -> StoreUnavailable:
    """Say that the database, or what stands beside it, cannot be made."""
    what = f"sqlite:///{path} cannot be used: {error.filename or path}: {error.strerror}"
    if error.errno in (errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE):
        return fault_of(error, path)
    return StoreUnavailable(
        f"{what}. The app's user must be able to write to {path.parent}, or name a file elsewhere: "
        "Greenroom('sqlite:////var/lib/app/greenroom.db')."
    )


def connect(path: Path, *, durability: str, read_only: bool = False) -> sqlite3.Connection:
    """A connection without transactions of its own making; only the thread that asked for it may use it.

    The file must be there: SQLite would make an empty one, and nobody would know that the jobs are gone.
    """
    uri = f"file:{quote(str(path))}?mode=rw"
    connection = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=5.0, cached_statements=256)
    try:
        connection.execute(f"PRAGMA synchronous = {'FULL' if durability == 'disk' else 'NORMAL'}")
        connection.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT}")
        # After a burst, or a long backup, the log goes back to this.
        connection.execute(f"PRAGMA journal_size_limit = {_CHECKPOINT * 4096}")
        if read_only:
            connection.execute("PRAGMA query_only = ON")
        else:
            connection.execute("PRAGMA journal_mode = WAL")
    except BaseException:
        connection.close()
        raise
    return connection


def migrate(connection: sqlite3.Connection, path: Path) -> None:
    """Bring the schema up to date, inside the caller's transaction: it is done whole or not at all."""
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'meta'").fetchone()
    if not tables:
        _execute_all(connection, "schema")
        connection.execute("INSERT INTO meta (key, value) VALUES ('schema', ?)", (SCHEMA,))
        return
    (found,) = connection.execute("SELECT value FROM meta WHERE key = 'schema'").fetchone()
    if found > SCHEMA:
        raise NewerSchema(
            f"sqlite:///{path} has schema {found}, and this greenroom knows schemas up to {SCHEMA}: a later "
            "version wrote it. Upgrade greenroom here, or name another file."
        )
    for version in range(found + 1, SCHEMA + 1):
        _execute_all(connection, f"upgrade_{version}")
        connection.execute("UPDATE meta SET value = ? WHERE key = 'schema'", (version,))


def _execute_all(connection: sqlite3.Connection, file: str) -> None:
    for statement in sql(file).split(";\n"):
        connection.execute(statement)
