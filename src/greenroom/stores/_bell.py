"""A doorbell: a socket in the file system by which other processes are told that something has changed.

A datagram is a message, and is never waited for: one that finds the sibling's queue full is not needed, for the
sibling has not read yet what is in there.
"""

from __future__ import annotations

import os
import socket
import uuid
from contextlib import suppress
from pathlib import Path

from greenroom import _native

SUFFIX = ".bell"
_SHORT = "/proc/self/fd"  # a socket's path may have 107 bytes, and who knows how deep the folder lies
_LONGEST = 1 << 18  # bytes of a message


class Bell:
    """Hung up in the folder, to be rung by others, and by which to ring theirs. Raises OSError."""

    def __init__(self, folder: Path) -> None:
        self.name = uuid.uuid4().hex + SUFFIX
        self._folder = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._prefix = f"{_SHORT}/{self._folder}" if Path(_SHORT).is_dir() else str(folder)
        self._path = folder / self.name
        self._socket = _native.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            self._socket.setblocking(False)
            os.fchmod(self._socket.fileno(), 0o600)  # before: it is never there for others
            self._socket.bind(f"{self._prefix}/{self.name}")
        except OSError:
            self.close()
            raise

    def fileno(self) -> int:
        return self._socket.fileno()

    def heard(self, most: int) -> list[bytes]:
        """The messages that have come, up to so many."""
        messages: list[bytes] = []
        with suppress(BlockingIOError):
            while len(messages) < most:
                messages.append(self._socket.recv(_LONGEST))
        return messages

    def ring(self, name: str, message: bytes) -> bool:
        """Ring another's; False if nobody is there any more."""
        try:
            self._socket.sendto(message, f"{self._prefix}/{name}")
        except BlockingIOError:
            return True
        except ConnectionRefusedError:  # it was left behind by one that was killed
            self._take_down(name)
            return False
        except OSError:
            return False
        return True

    def close(self) -> None:
        """Take it down."""
        self._socket.close()
        self._path.unlink(missing_ok=True)
        os.close(self._folder)

    def _take_down(self, name: str) -> None:
        with suppress(OSError):
            self._path.with_name(name).unlink(missing_ok=True)
