"""SQLite's write-ahead log, as bytes: what of it SQLite will not read, and whether that was safe on disk once.

SQLite reads the log up to the first frame whose checksum is wrong, and takes what follows for the rest of a commit
that was cut short. But a commit is synced before the next one is written: where one that is not read is followed by
the beginning of another, it had reached the disk, and the log was damaged later. What it held would vanish unsaid.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO, NamedTuple, Self

_HEADER = struct.Struct(">8I")  # magic, version, page size, sequence, two salts, two checksums
_FRAME = struct.Struct(">6I")  # page, size of the database if this ends a commit, two salts, two checksums
_INDEX = struct.Struct("=4I8I")  # of this machine's byte order; twice, and then how many frames were moved
_MAGIC = 0x377F0682  # or one more, if checksums are of big-endian words

Sums = tuple[int, int]


class Unread(NamedTuple):
    """The part of a log that SQLite does not read."""

    frames: int
    was_on_disk: bool


NOTHING = Unread(0, was_on_disk=False)


def unread(path: Path, frames_read: int) -> Unread:
    """What stands in the log behind so many frames, and was written after them.

    It opens the log by hand: no locks are held on that one, but nobody may be writing to it.
    """
    try:
        with path.open("rb") as file:
            return _look_behind(file, frames_read)
    except FileNotFoundError:
        return NOTHING


class Index(NamedTuple):
    """What SQLite says of the log, in the index that it keeps in shared memory.

    It outlives the processes that used it, though not the machine: as long as that is up, the index knows what was
    committed, whatever has become of the log.
    """

    frames: int  # committed
    moved: int  # of those, how many were moved to the database since
    salts: Sums


class IndexFile:
    """The file that holds the index, as it was found; it may be taken away meanwhile, and another made.

    To close what was opened by hand drops the locks that SQLite holds on it in this process: there must be none.
    """

    def __init__(self, path: Path) -> None:
        self._file = None
        with suppress(FileNotFoundError):
            self._file = path.open("rb")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()

    def read(self) -> Index | None:
        """The index; None if there is none that is whole."""
        return _index_in(self._file.read(2 * _INDEX.size + 4)) if self._file is not None else None

    @property
    def was_taken_away(self) -> bool:
        """Whether whoever closed the database last has tidied up: all of the log is in the database then."""
        return self._file is not None and not os.fstat(self._file.fileno()).st_nlink


def index_of(path: Path) -> Index | None:
    """The index in this file; None if there is none that is whole."""
    with IndexFile(path) as file:
        return file.read()


def _index_in(head: bytes) -> Index | None:
    copies = [head[: _INDEX.size], head[_INDEX.size : 2 * _INDEX.size]]
    if len(head) < 2 * _INDEX.size + 4 or copies[0] != copies[1]:
        return None
    *_, frames, _, _, _, salt_1, salt_2, sum_1, sum_2 = _INDEX.unpack(copies[0])
    if _sums(copies[0][:40], (0, 0), struct.Struct("=2I")) != (sum_1, sum_2):
        return None
    return Index(frames, struct.unpack_from("=I", head, 2 * _INDEX.size)[0], (salt_1, salt_2))


class _Frame(NamedTuple):
    number: int
    page: int
    ends_commit: bool
    salts: Sums
    sums: Sums


def _look_behind(file: BinaryIO, frames_read: int) -> Unread:
    head = file.read(_HEADER.size)
    if len(head) < _HEADER.size:
        return NOTHING
    magic, _, page_size, _, *salts_and_sums = _HEADER.unpack(head)
    words = struct.Struct((">" if magic & 1 else "<") + "2I")
    is_sound = magic | 1 == _MAGIC | 1 and _sums(head[:24], (0, 0), words) == tuple(salts_and_sums[2:])
    if not is_sound:
        # It is synced before the first frame is written, so that it cannot be cut short if there is one.
        return Unread(0, was_on_disk=len(file.read(_FRAME.size + 1)) > _FRAME.size)
    frames = [frame for frame in _frames(file, frames_read, page_size) if frame.salts == tuple(salts_and_sums[:2])]
    for frame, following in pairwise(frames):
        if frame.ends_commit and following.number == frame.number + 1:
            file.seek(_HEADER.size + (following.number - 1) * (_FRAME.size + page_size))
            content = file.read(_FRAME.size + page_size)
            if _sums(content[:8] + content[_FRAME.size :], frame.sums, words) == following.sums:
                return Unread(len(frames), was_on_disk=True)
    return Unread(len(frames), was_on_disk=False)


def _frames(file: BinaryIO, frames_read: int, page_size: int) -> Iterator[_Frame]:
    step = _FRAME.size + page_size
    number = frames_read + 1
    while True:
        file.seek(_HEADER.size + (number - 1) * step)
        head = file.read(step)
        if len(head) < step:
            return
        page, size, salt_1, salt_2, sum_1, sum_2 = _FRAME.unpack_from(head)
        yield _Frame(number, page, bool(size), (salt_1, salt_2), (sum_1, sum_2))
        number += 1


def _sums(content: bytes, sums: Sums, words: struct.Struct) -> Sums:
    first, second = sums
    for one, two in words.iter_unpack(content):
        first = (first + one + second) & 0xFFFFFFFF
        second = (second + two + first) & 0xFFFFFFFF
    return first, second
