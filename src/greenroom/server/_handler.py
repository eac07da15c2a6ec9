"""A handler: one connection, and the requests that come by it, one after the other."""

from __future__ import annotations

import logging
import socket
from contextlib import suppress
from contextvars import Context
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any

from gevent import GreenletExit
from gevent.pywsgi import WSGIHandler

from greenroom._piece import Piece, boundary
from greenroom.context import request_id
from greenroom.lanes.traffic import traffic
from greenroom.server._front import name_request, piece_of_request
from greenroom.server._logs import access, escaped

if TYPE_CHECKING:
    from greenroom.server._server import Server

log = logging.getLogger("greenroom.server")


class Handler(WSGIHandler):  # type: ignore[misc]  # gevent is not typed
    """pywsgi's, with a request id, our logs, and an end that drops no request that has arrived."""

    server: Server
    request_id: str | None = None
    requestline: str | None
    close_connection: bool
    response_headers: list[tuple[bytes, bytes]]
    status: str | bytes | None
    _orig_status: str | None

    def hang_up(self) -> None:
        """Read only what has arrived: a request that is here is served, and an idle connection ends."""
        # Not by the gevent socket's own shutdown: it breaks off the wait for a request that is here already.
        with suppress(OSError):
            self.socket._sock.shutdown(socket.SHUT_RD)  # noqa: SLF001  (pywsgi reaches for it too)

    def read_requestline(self) -> str:
        self.request_id = self.requestline = self._orig_status = None  # those of the request before
        if self.server.is_hanging_up:
            self.hang_up()
        self.server.idle.add(self)
        try:
            return str(super().read_requestline())
        finally:
            self.server.idle.discard(self)

    def get_environ(self) -> dict[str, Any]:
        environ: dict[str, Any] = super().get_environ()
        self.request_id = name_request(environ)
        return environ

    def handle_one_response(self) -> None:
        # A context of its own: it would otherwise find what the last request on this connection has set.
        Context().run(self._respond)

    def _respond(self) -> None:
        request_id.set(self.request_id)
        with traffic:
            super().handle_one_response()

    def finalize_headers(self) -> None:
        super().finalize_headers()
        self.close_connection = self.close_connection or self.server.is_draining
        ours = [(b"X-Request-ID", str(self.request_id).encode())]
        if self.close_connection and not self.connection_upgraded:
            ours.append((b"Connection", b"close"))
        names = [name.lower() for name, _ in ours]
        theirs = [pair for pair in self.response_headers if pair[0].lower() not in names]
        self.response_headers = theirs + ours

    def log_request(self) -> None:
        if access.isEnabledFor(logging.INFO):
            access.info(
                '%s "%s" %s %d %.1f ms %s',
                self._client(),
                escaped((self.requestline or "").rstrip()),
                (self._orig_status or str(self.status or "000")).split()[0],
                self.response_length,
                (self.time_finish - self.time_start) * 1000,
                self.request_id or "-",
            )

    def log_error(self, msg: str, *args: object) -> None:
        """What clients get wrong: theirs to mend, so it is no error here."""
        log.info("bad request: %s", escaped(msg % args if args else msg))

    def _handle_client_error(self, ex: Exception) -> Any:
        if isinstance(ex, ConnectionError):
            return None  # it went away amid its headers
        return super()._handle_client_error(ex)

    def _log_error(self, t: type[BaseException], v: BaseException, tb: TracebackType | None) -> None:
        """What the app raises: SystemExit too, which in the hub's hands would end the server."""
        request = escaped(f"{self.command} {self.path}")
        if issubclass(t, GreenletExit):
            log.warning("request %s (%s) was cut off before it had ended", self.request_id, request)
        else:
            log.error("request %s (%s) failed", self.request_id, request, exc_info=(t, v, tb))

    def _client(self) -> str:
        return str(self.client_address[0]) if isinstance(self.client_address, tuple) else "-"


def _request(frame: FrameType) -> Piece:
    handler: Handler = frame.f_locals["self"]
    return piece_of_request(frame, handler.command, handler.path, is_preemptible=handler.server.preempts_requests)


boundary(Handler._respond, _request)  # noqa: SLF001  (it is this file's)
