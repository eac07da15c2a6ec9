"""An inspection: whether a database file is whole, as far as can be told before it is used."""

from __future__ import annotations

import logging
import os
import sqlite3
from contextlib import closing, suppress
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from gevent.monkey import get_original

from greenroom.errors import InvalidOption, StoreCorrupt
from greenroom.stores._fault import DAMAGED
from greenroom.stores._incarnation import is_over
from greenroom.stores._wal import Index, IndexFile, Unread, index_of, unread

SMALL = 4 << 20  # bytes: to check so many takes 12 ms, which a start can spare
_TABLES = "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite!_%' ESCAPE '!'"
_OURS = {"meta", "worker", "job"}  # tables that were there from the first schema on
LARGE = 1 << 30  # bytes: to check so many takes 3 s of a thread; more is not checked, and not copied

log = logging.getLogger("greenroom.store")


class Before(NamedTuple):
    """What is known of a file before it is opened."""

    was_whole: bool  # there was a store in it
    same_boot: bool  # and the machine has not been off since it was last opened
    syncs: bool  # each of its commits was synced


def inspect(path: Path, before: Before) -> None:
    """Raise StoreCorrupt if the file, or its log, has been damaged. Nobody here may have it open, or write meanwhile.

    The connection only reads: one that may write tidies up when it is closed, and what SQLite does not read of the
    log would be gone without a word.
    """
    if not path.stat().st_size and not before.was_whole:
        return  # made just now
    if (copy := _copy_of(path)).exists():
        raise _damaged(path, f"it was found to be damaged before. Once {copy} is moved away it is used again")
    log_path, index_path = (path.with_name(path.name + suffix) for suffix in ("-wal", "-shm"))
    # The connection is closed first: to close the file drops SQLite's own locks on it.
    with IndexFile(index_path) as index, closing(_reading(path)) as connection:
        known = index.read() if before.same_boot else None
        tables = {name for (name,) in connection.execute(_TABLES)}
        _must_be_ours(path, tables)
        if tables and _others_live(connection, path):
            return
        found = index_of(index_path)  # SQLite has just read the log, and says how far
        if not index.was_taken_away:
            _compare(path, known, found)
        _look_behind(path, unread(log_path, found.frames if found else 0), syncs=before.syncs)
        if before.was_whole and not tables:
            raise _damaged(path, f"it is empty, and was in use before; if that is right, delete {path.name}.ballast")
        if path.stat().st_size <= SMALL:
            check(connection, path)


def _reading(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, isolation_level=None)


def _others_live(connection: sqlite3.Connection, path: Path) -> bool:
    if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'worker'").fetchone():
        return False
    folder = path.with_name(path.name + ".workers")
    names = connection.execute("SELECT name FROM worker").fetchall()
    return not all(is_over(folder, str(name)) for (name,) in names)


def _must_be_ours(path: Path, tables: set[str]) -> None:
    """Raise InvalidOption for another program's database: no tables are added there, and no settings are changed."""
    if tables and not tables >= _OURS:
        raise InvalidOption(
            f"sqlite:///{path} is another program's database, with tables such as {min(tables)!r}: name a file that "
            "only greenroom uses, such as 'sqlite:///greenroom.db'. It is made if it is not there."
        )


def check(connection: sqlite3.Connection, path: Path) -> None:
    """Raise StoreCorrupt if the tables and indexes are not whole. Reads all of the file."""
    (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if found != "ok":
        raise _damaged(path, found)


def keep_copy(path: Path) -> str:
    """Copy a damaged file and its log, once, and say so; from then on the file is not opened any more.

    Another process does it: if this one closed a file of the database, the locks that SQLite holds would be gone.
    """
    try:
        copy = _copy_of(path)
        if not copy.exists():
            copy.touch(mode=0o600)
            disk = os.statvfs(path.parent)
            if path.stat().st_size > min(LARGE, disk.f_bavail * disk.f_frsize // 2):
                return f"There is no room for a copy of it; {copy} marks that it is damaged."
            for suffix in ("-wal", ""):
                source = path.with_name(path.name + suffix)
                if source.exists():
                    _copy(source, copy.with_name(copy.name + suffix))
    except OSError as error:
        return f"No copy of it could be made: {error}."
    return f"A copy is kept as {copy}."


def _compare(path: Path, known: Index | None, found: Index | None) -> None:
    """What was committed is in the log still, or was moved to the file."""
    read = found.frames if found and known and found.salts == known.salts else 0
    if known is not None and known.frames > max(read, known.moved):
        raise _damaged(
            path,
            f"{known.frames - max(read, known.moved)} pages are not in its log {path.name}-wal any more (if somebody "
            f"took the log away on purpose, {path.name}-shm is to go with it)",
        )


def _look_behind(path: Path, rest: Unread, *, syncs: bool) -> None:
    if rest.was_on_disk and syncs:
        raise _damaged(path, f"its log {path.name}-wal is damaged")
    if rest.frames or rest.was_on_disk:
        log.warning(
            "sqlite:///%s: the last %s pages of its log were not whole, and are left out, as after a power cut. What "
            "was acknowledged is not among them, unless the disk lost what it had said to be written.",
            path,
            rest.frames or "",
        )


def _copy_of(path: Path) -> Path:
    # By its inode: a backup that is put in the place of the file is another one.
    return path.with_name(f"{path.name}.damaged-{path.stat().st_ino}")


def _copy(source: Path, target: Path) -> None:
    pid = get_original("os", "posix_spawnp")("cp", ["cp", str(source), str(target)], os.environ)
    with suppress(ChildProcessError):  # under gevent, the event loop may have heard of its end before
        get_original("os", "waitpid")(pid, 0)
    if not target.exists() or target.stat().st_size != source.stat().st_size:
        raise OSError(None, f"cp {source} {target} has failed")


def _damaged(path: Path, how: str) -> StoreCorrupt:
    return StoreCorrupt(f"sqlite:///{path} cannot be used: {how}. {DAMAGED}")
