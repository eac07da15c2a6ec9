"""The file lock: lets one process at a time begin a transaction.

SQLite's own busy handler is unfair: with four processes its p99 is 230 ms, and with this 12. But the kernel lets
nobody say how long to wait for such a lock, and a process that is stopped in the middle of a transaction, by SIGSTOP
or a debugger, never lets go of it. So the waiting is done at the door, by a native thread of its own, and whoever
wants to come in waits for that thread, for a while.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from greenroom._native import allocate_lock, start_thread
from greenroom.errors import StoreBusy

_BOOT = Path("/proc/sys/kernel/random/boot_id")
PATIENCE = 5.0  # seconds, as long as SQLite itself waits
# Not Python's own, which gives up the GIL: the hub, woken just now by the batch before, would have it for as long as
# it is busy, and the transaction begin only after that. For what waits for nothing.
_flock = ctypes.PyDLL(None, use_errno=True).flock


class FileLock:
    """Held by one process at a time, and used by one of its threads. Raises StoreBusy if it is not to be had."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        self._turn = allocate_lock()  # held to change what follows
        self._is_at_the_door = False  # the thread waits for the kernel
        self._is_wanted = False  # somebody waits for the thread
        self._has_thread = False
        self._is_closed = False
        self._asked, self._came_in = allocate_lock(), allocate_lock()
        self._asked.acquire()
        self._came_in.acquire()

    def __enter__(self) -> None:
        with self._turn:
            if not self._is_at_the_door:
                if self._take():
                    return
                self._go_to_the_door()
            self._is_wanted = True
        if not self._came_in.acquire(True, PATIENCE) and not self._has_come_in_at_last():
            raise StoreBusy(
                f"sqlite:///{self._path.with_suffix('')} is locked: for {PATIENCE:g} s another process has been in "
                "the middle of a transaction. If it was stopped (SIGSTOP, a debugger, a frozen container), let it go "
                "on or end it. It is tried again by itself."
            )

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        fcntl.flock(self._file, fcntl.LOCK_UN)

    def same_boot(self) -> bool:
        """Whether the machine has not been off since this was last asked, by whatever process."""
        try:
            boot = _BOOT.read_bytes()
            if os.pread(self._file, len(boot), 0) == boot:
                return True
            os.pwrite(self._file, boot, 0)
        except OSError:  # no Linux, or no room: nothing is known
            return False
        return False

    def close(self) -> None:
        self._is_closed = True
        with suppress(RuntimeError):  # it was asked already
            self._asked.release()
        os.close(self._file)

    def _take(self) -> bool:
        if _flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB) == 0:
            return True
        if (number := ctypes.get_errno()) == errno.EWOULDBLOCK:
            return False
        raise OSError(number, os.strerror(number))

    def _has_come_in_at_last(self) -> bool:
        with self._turn:
            self._is_wanted = False
            return bool(self._came_in.acquire(False))

    def _go_to_the_door(self) -> None:
        self._is_at_the_door = True
        if not self._has_thread:
            self._has_thread = True
            start_thread(self._wait_at_the_door)
        self._asked.release()

    def _wait_at_the_door(self) -> None:
        while True:
            self._asked.acquire()
            if self._is_closed:
                return
            with suppress(OSError):  # it was closed meanwhile
                fcntl.flock(self._file, fcntl.LOCK_EX)
            with self._turn:
                self._is_at_the_door = False
                if self._is_wanted:
                    self._is_wanted = False
                    self._came_in.release()
                elif not self._is_closed:
                    fcntl.flock(self._file, fcntl.LOCK_UN)
