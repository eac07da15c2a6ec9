"""A supervisor: whoever has started this process, and is told how it is: systemd, or who reads its pid in a file.

systemd's protocol is a datagram for each word to it, and, for a socket that it opened, two variables.
"""

from __future__ import annotations

import os
import time
from collections.abc import MutableMapping
from contextlib import suppress
from pathlib import Path

from gevent import socket

from greenroom.server._refusal import FAILED, Refusal

_FIRST = 3  # the first file that systemd passes on


class Supervisor:
    """Told in the words of sd_notify(3), if there is one that listens. `pid_file` is kept up to date for others."""

    def __init__(self, environ: MutableMapping[str, str], pid_file: str | None = None) -> None:
        # Taken out: what this process starts is not the service, and must not speak for it.
        self._address = environ.pop("NOTIFY_SOCKET", "")
        self._pid_file = None if pid_file is None else Path(pid_file).absolute()

    def is_ready(self) -> None:
        """This process serves."""
        self._write_pid()
        self._tell(f"READY=1\nMAINPID={os.getpid()}\nSTATUS=serving")

    def is_reloading(self) -> None:
        """A successor is being started."""
        now = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000  # by which it knows the answer from an older one
        self._tell(f"RELOADING=1\nMONOTONIC_USEC={now}\nSTATUS=starting a successor")

    def is_kept(self) -> None:
        """There is no successor: this process goes on."""
        self._tell("READY=1\nSTATUS=serving; the last successor could not be started")

    def is_succeeded(self, pid: int) -> None:
        """That process serves now, and is the one to watch."""
        self._tell(f"MAINPID={pid}\nREADY=1\nSTATUS=serving")

    def is_stopping(self) -> None:
        """This process drains, and nobody takes over."""
        self._tell("STOPPING=1\nSTATUS=draining")

    def forget(self) -> None:
        """This process ends: its pid is taken away, unless that of a successor is there by now."""
        if self._pid_file is not None:
            with suppress(OSError):
                if self._pid_file.read_text().strip() == str(os.getpid()):
                    self._pid_file.unlink()

    def _write_pid(self) -> None:
        if self._pid_file is None:
            return
        # Whole or not at all: whoever reads it would send a signal to half a number.
        fresh = self._pid_file.with_name(f"{self._pid_file.name}.{os.getpid()}")
        try:
            fresh.write_text(f"{os.getpid()}\n")
            fresh.replace(self._pid_file)
        except OSError as error:
            with suppress(OSError):
                fresh.unlink(missing_ok=True)
            why = _why_not(self._pid_file, error)
            raise Refusal(f"--pid {self._pid_file} cannot be written: {why}", exit_code=FAILED) from None

    def _tell(self, words: str) -> None:
        if not self._address:
            return
        address = f"\0{self._address[1:]}" if self._address.startswith("@") else self._address
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
            line.sendto(words.encode(), address)


def _why_not(path: Path, error: OSError) -> str:
    if not path.parent.is_dir():
        return f"there is no folder {path.parent}. Make it, or name another."
    if path.is_dir():
        return "it is a folder. Name a file in it."
    return f"{error.strerror}. Let the app's user write there."


def sent_by_systemd(environ: MutableMapping[str, str]) -> int | None:
    """The socket that systemd has opened for this process, if it has. Raises Refusal if there are several."""
    pid, number = environ.get("LISTEN_PID", ""), environ.get("LISTEN_FDS", "")
    if pid != str(os.getpid()) or not number.isdigit() or number == "0":
        return None  # they are for another process
    for name in ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"):
        environ.pop(name, None)
    if number != "1":
        raise Refusal(f"systemd passes on {number} sockets, and greenroom serves at one: leave one ListenStream=.")
    return _FIRST
