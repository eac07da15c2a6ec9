"""An incarnation: one life of one process, and whether it is over.

Each holds a lock on a file of its own beside the database, which the kernel lets go when the process ends, so a
crash is known at once. `lockf` and not `flock`: a forked child would keep a flock alive after its parent's death.
A process never opens its own file a second time, for closing that would drop the lock. A file is locked before it is
given its name: one that is not locked has outlived its process.
"""

from __future__ import annotations

import fcntl
import os
import struct
import sys
import uuid
from collections.abc import Container
from pathlib import Path

_FLOCK = struct.Struct("hhqqi4x")  # what Linux takes and gives: kind, whence, start, length, pid
_UNNAMED = ".new"
_mine: set[str] = set()  # POSIX locks do not shut out their own process: it has to know what it holds


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_mine.clear)  # the locks are the parent's


def others(names: list[str]) -> list[str]:
    """Those, of the files in the folder, by which others live or have lived."""
    return [name for name in names if "." not in name and name not in _mine]


class Incarnation:
    """The life that this process lives at one store."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, exist_ok=True)
        self.name = uuid.uuid4().hex
        self._path = folder / self.name
        _mine.add(self.name)  # before anybody here could take it for another's, and look whether it is locked
        try:
            self._file = _make(self._path)
        except BaseException:
            _mine.discard(self.name)
            raise

    def end(self) -> None:
        """Let go: from here on this life is over."""
        if self.name in _mine:
            _mine.discard(self.name)
            self._path.unlink(missing_ok=True)
            os.close(self._file)


def _make(path: Path) -> int:
    """Make the file, and lock it. It is made once more if `forget_unknown` has taken it for one that was left."""
    unnamed = path.with_name(path.name + _UNNAMED)
    while True:
        file = os.open(unnamed, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            unnamed.rename(path)
        except (BlockingIOError, FileNotFoundError):
            os.close(file)
        else:
            return file


def is_over(folder: Path, name: str) -> bool:
    """Whether the process that lived under that name has ended."""
    if name in _mine:
        return False
    try:
        file = os.open(folder / name, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return True
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(file)
    return True


def pid_of(folder: Path, name: str) -> int | None:
    """The process that lives under that name, by its lock; None if it is over, this one, or cannot be told."""
    if name in _mine or sys.platform != "linux":
        return None
    try:
        file = os.open(folder / name, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        asked = _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
        kind, _, _, _, pid = _FLOCK.unpack(fcntl.fcntl(file, fcntl.F_GETLK, asked))
    finally:
        os.close(file)
    return pid if kind != fcntl.F_UNLCK and pid > 0 else None  # 0: it lives in another namespace of processes


def forget_unknown(folder: Path, known: Container[str]) -> None:
    """Remove what those left who died before anybody knew of them."""
    files = {path.name.removesuffix(_UNNAMED): path.name for path in folder.iterdir()}
    for name in others([*files]):
        if name not in known and is_over(folder, files[name]):
            forget(folder, files[name])


def forget(folder: Path, name: str) -> None:
    """Remove what a dead one left."""
    (folder / name).unlink(missing_ok=True)
