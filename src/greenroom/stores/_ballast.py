"""Ballast: room on the disk that is kept in good times, and given up when the disk is full.

With it the outcomes of what runs can still be recorded. Nothing new is taken until it is back: so a disk counts
as full for as long as there is no room for the ballast.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path

SIZE = 1 << 20
_MARGIN = 2 * SIZE  # what must be free before it is taken back, else it would be given up again at once


class Ballast:
    """A file beside the database. Its being there, even empty, also says that there once was a whole store."""

    def __init__(self, path: Path) -> None:
        self._path = path.with_name(path.name + ".ballast")
        self.is_spent = True  # as long as it was not laid in

    def was_laid_in(self) -> bool:
        """Whether the store was whole once."""
        return self._path.exists()

    def forget(self) -> None:
        """There is no store any more."""
        self._path.unlink(missing_ok=True)

    def lay_in(self) -> bool:
        """Take the room, unless it is held already; False if it cannot be had."""
        try:
            self.is_spent = not self._is_held() and not self._take()
        except OSError:
            self.is_spent = True
        return not self.is_spent

    def spend(self) -> bool:
        """Give the room up; False if there is none to give."""
        self.is_spent = True
        try:
            had_it = self._is_held()
            os.truncate(self._path, 0)
        except OSError:
            return False
        return had_it

    def _is_held(self) -> bool:
        try:
            return self._path.stat().st_size >= SIZE
        except FileNotFoundError:
            return False

    def _take(self) -> bool:
        disk = os.statvfs(self._path.parent)
        if disk.f_bavail * disk.f_frsize < _MARGIN:
            return False
        file = os.open(self._path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            _fill(file)
        except OSError:
            os.ftruncate(file, 0)
            raise
        finally:
            os.close(file)
        return True


def _fill(file: int) -> None:
    try:
        os.posix_fallocate(file, 0, SIZE)
    except (AttributeError, OSError):  # not every system, nor every file system, can
        if os.pwrite(file, bytes(SIZE), 0) < SIZE:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) from None
