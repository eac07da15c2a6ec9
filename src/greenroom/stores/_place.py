"""A place: which file it was that a path led to, and whether it still does.

SQLite itself goes on writing into a file that was deleted, and into nowhere.
"""

from __future__ import annotations

import logging
import os
from contextlib import suppress
from pathlib import Path

from greenroom.errors import StoreCorrupt, StoreGone
from greenroom.stores._fault import DAMAGED

_BESIDE = ("-wal", "-shm")  # SQLite keeps these open as long as the file itself

# Where locks and shared memory do not reach from one machine to the other, or not at all.
_AFAR = ("nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "fuse.glusterfs", "lustre", "fuse.sshfs")
_FAR_AWAY = "sqlite:///%s lies on %s: SQLite's locks do not work there between machines. Use a local disk."
_LINKED = "sqlite:///%s has %s names (hard links): under each it has a log of its own. Open it under one name only."
_MOUNTS = Path("/proc/self/mountinfo")

log = logging.getLogger("greenroom.store")

Inode = tuple[int, int]


class Place:
    """Of one database. It asks for names only: to open the file by hand would drop the locks that SQLite holds."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._inode: Inode | None = None
        self._beside: dict[Path, Inode] = {}

    def remember(self) -> None:
        """This is the file, from now on."""
        found = self._path.stat()
        self._inode = _inode_of(found)
        with suppress(OSError):  # no Linux: nothing is known
            if (kind := file_system_of(found.st_dev, _MOUNTS.read_text())) in _AFAR:
                log.warning(_FAR_AWAY, self._path, kind)
        if found.st_nlink > 1:
            log.warning(_LINKED, self._path, found.st_nlink)

    def confirm(self) -> None:
        """Raise StoreGone unless the path leads to the file that was opened: what is written would be lost."""
        found = self._find(self._path)
        if found is None:
            raise self._gone(self._path, "is not there any more")
        if _inode_of(found) != self._inode:
            raise self._gone(self._path, "is another file now")
        if not found.st_size:
            raise StoreCorrupt(f"sqlite:///{self._path} was emptied while it was in use. {DAMAGED}")

    def look(self) -> None:
        """Confirm, and see to what SQLite keeps beside the file as well."""
        self.confirm()
        for path in (self._path.with_name(self._path.name + suffix) for suffix in _BESIDE):
            found = self._find(path)
            if found is not None and self._beside.setdefault(path, _inode_of(found)) != _inode_of(found):
                raise self._gone(path, "is another file now")
            if found is None and path in self._beside:
                raise self._gone(path, "is not there any more")

    def forget_what_is_beside(self) -> None:
        """From now on it may be other files."""
        self._beside.clear()

    def log_size(self) -> int:
        """The bytes in SQLite's write-ahead log."""
        found = self._find(self._path.with_name(self._path.name + "-wal"))
        return 0 if found is None else found.st_size

    def _find(self, path: Path) -> os.stat_result | None:
        try:
            return os.stat(path)  # noqa: PTH116  (once a commit: Path.stat takes twice as long)
        except FileNotFoundError:
            return None

    def _gone(self, which: Path, how: str) -> StoreGone:
        return StoreGone(
            f"sqlite:///{self._path} cannot be used: {which} {how}: somebody deleted, moved or replaced it while it "
            "was in use. Nothing more is stored, for it would be lost. Put the same file back where it was, or "
            "restart the app; until then room.backup(path) still saves what the file held."
        )


def file_system_of(device: int, mounts: str) -> str | None:
    """The kind of file system that is mounted from this device, by the text of /proc/self/mountinfo."""
    wanted = f"{os.major(device)}:{os.minor(device)}"
    for line in mounts.splitlines():
        facts, _, kind = line.partition(" - ")
        if facts.split()[2:3] == [wanted]:
            return kind.split()[0]
    return None


def _inode_of(found: os.stat_result) -> Inode:
    return found.st_dev, found.st_ino
