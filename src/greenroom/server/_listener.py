"""A listener: the socket that connections come in by, bound before anything else is started, or passed on by whoever
has started this process."""

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
Identity = tuple[int, int]  # of a file: its device and inode
_NOT_FOR_OTHERS = 0o117  # umask that makes a unix socket 0660


class Listener:
    """Listens with this socket; `is_passed_on` if another process has bound it."""

    def __init__(self, bound: socket.socket, address: Address, *, is_passed_on: bool) -> None:
        self.socket = bound
        self.address = address
        self.is_passed_on = is_passed_on
        self._file: Identity | None = None  # of a unix socket, if it is to be removed at the end

    @classmethod
    def at(cls, address: Address) -> Listener:
        """A socket of our own. Raises Refusal if that cannot be."""
        try:
            bound = _bind_path(address.path) if address.path else _bind_port(address)
            bound.listen(_BACKLOG)
        except OSError as error:
            raise Refusal(_explain(error, address), exit_code=FAILED) from None
        listener = cls(bound, address, is_passed_on=False)
        listener.owns_file = bool(address.path)
        return listener

    @classmethod
    def passed_on(cls, number: int) -> Listener:
        """A socket that was open when this process began. Raises Refusal if it cannot be used."""
        try:
            os.set_inheritable(number, False)
            bound = socket.socket(fileno=number)
            name = bound.getsockname()
            if bound.type != socket.SOCK_STREAM or not bound.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                raise OSError(errno.EINVAL, "it does not listen for connections")
        except OSError as error:
            raise Refusal(
                f"the socket that was passed on as file {number} cannot be used: {error.strerror}. Pass on one "
                "that listens, such as systemd's ListenStream=.",
                exit_code=FAILED,
            ) from None
        if isinstance(name, tuple):
            bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return cls(bound, Address(host=name[0], port=name[1]), is_passed_on=True)
        return cls(bound, Address(path=os.fsdecode(name)), is_passed_on=True)

    @property
    def owns_file(self) -> bool:
        """Whether the file of a unix socket goes with it when it closes."""
        return self._file is not None

    @owns_file.setter
    def owns_file(self, is_owner: bool) -> None:
        self._file = _identity(self.address.path) if is_owner else None

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
        if self._file is not None and _identity(self.address.path) == self._file:
            Path(self.address.path).unlink()


def _bind_port(address: Address) -> socket.socket:
    ((family, _, _, _, name), *_) = socket.getaddrinfo(
        address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )
    bound = socket.socket(family, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # Accepted sockets take after this one. pywsgi sends head and body apart, and with Nagle's algorithm
    # each answer on a kept-alive connection then takes 44 ms.
    bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return _bound(bound, name)


def _bind_path(path: str) -> socket.socket:
    _remove_stale(path)
    umask = os.umask(_NOT_FOR_OTHERS)
    try:
        return _bound(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM), path)
    finally:
        os.umask(umask)


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


def _identity(path: str) -> Identity | None:
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
