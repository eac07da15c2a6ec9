"""A listener: the socket that connections come in by, bound before anything else is started."""

from __future__ import annotations

import errno
import os
import socket
import stat
from contextlib import suppress
from pathlib import Path
from typing import Any

from greenroom.server._address import Address
from greenroom.server._refusal import FAILED, Refusal

_BACKLOG = 1024  # connections that may wait to be accepted; the kernel may allow fewer
_NOT_FOR_OTHERS = 0o117  # umask that makes a unix socket 0660


class Listener:
    """Bound and listening. Raises Refusal if that cannot be."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self._made: tuple[int, int] | None = None  # the unix socket's file, as device and inode
        try:
            self.socket = self._bind_path() if address.path else self._bind_port()
            self.socket.listen(_BACKLOG)
        except OSError as error:
            raise Refusal(_explain(error, address), exit_code=FAILED) from None

    @property
    def port(self) -> int:
        """The port that was given, if port 0 asked for any; a unix socket passes for the usual one."""
        return 80 if self.address.path else int(self.socket.getsockname()[1])

    @property
    def url(self) -> str:
        """Where it is reached."""
        if self.address.path:
            return str(self.address)
        return f"http://{Address(host=self.address.host, port=self.port)}"

    def close(self) -> None:
        self.socket.close()
        if self._made is not None and _identity(self.address.path) == self._made:
            Path(self.address.path).unlink()

    def _bind_port(self) -> socket.socket:
        ((family, _, _, _, name), *_) = socket.getaddrinfo(
            self.address.host, self.address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        bound = socket.socket(family, socket.SOCK_STREAM)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Accepted sockets take after this one. pywsgi sends head and body apart, and with Nagle's algorithm
        # each answer on a kept-alive connection then takes 44 ms.
        bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return _bound(bound, name)

    def _bind_path(self) -> socket.socket:
        path = self.address.path
        _remove_stale(path)
        umask = os.umask(_NOT_FOR_OTHERS)
        try:
            bound = _bound(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM), path)
        finally:
            os.umask(umask)
        self._made = _identity(path)
        return bound


def _bound(fresh: socket.socket, name: tuple[Any, ...] | str) -> socket.socket:
    try:
        fresh.bind(name)
    except BaseException:
        fresh.close()
        raise
    return fresh


def _remove_stale(path: str) -> None:
    """Remove a socket that a killed server left behind; one that is in use is left for bind to refuse."""
    with suppress(FileNotFoundError):
        if not stat.S_ISSOCK(os.lstat(path).st_mode):
            raise OSError(errno.ENOTSOCK, "is not a socket")
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as visitor:
            try:
                visitor.connect(path)
            except ConnectionRefusedError:
                Path(path).unlink()


def _identity(path: str) -> tuple[int, int] | None:
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def _explain(error: OSError, address: Address) -> str:
    match error:
        case socket.gaierror():
            return f"host {address.host!r} cannot be found: {error.strerror}. Bind to a numeric address."
        case OSError(errno=errno.EADDRINUSE):
            return f"{address} is taken: another program listens there. End it, or choose another with --bind."
        case OSError(errno=errno.EADDRNOTAVAIL):
            return (
                f"{address.host} is not an address of this machine. Bind to one that is, to 127.0.0.1 "
                "(reached from this machine alone) or to 0.0.0.0 (every address it has)."
            )
        case OSError(errno=errno.ENOTSOCK):
            return f"{address} cannot be bound: the file there is no socket. Move it, or name another."
        case FileNotFoundError():
            return f"{address} cannot be bound: there is no such folder. Make it, or choose another path."
        case PermissionError() if address.path:
            return f"{address} cannot be bound: {error.strerror}. Let the app's user write to the folder."
        case PermissionError():
            return (
                f"{address} cannot be bound: {error.strerror}. Ports below 1024 are for root: bind to a "
                "higher one, and let a proxy pass requests on to it."
            )
    return f"{address} cannot be bound: {error.strerror or error}. Choose another with --bind."
