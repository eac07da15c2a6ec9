"""What /healthz answers: whether this process does its work, for load balancers and supervisors."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

PATH = "/healthz"
Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class Health:
    """A WSGI application: answers /healthz itself, and passes everything else on to `app`."""

    def __init__(self, app: Wsgi, *, trouble: Callable[[], str | None], is_stopping: Callable[[], bool]) -> None:
        self._app = app
        self._trouble = trouble
        self._is_stopping = is_stopping

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if environ["PATH_INFO"] != PATH:
            return self._app(environ, start_response)
        if environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
            start_response("405 Method Not Allowed", [("Allow", "GET, HEAD"), ("Content-Length", "0")])
            return []
        status, told = self._told()
        body = json.dumps(told).encode()
        headers = [
            ("Content-Type", "application/json"),
            ("Cache-Control", "no-store"),
            ("Content-Length", str(len(body))),
        ]
        start_response(status, headers)
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]

    def _told(self) -> tuple[str, dict[str, str]]:
        if self._is_stopping():
            return "503 Service Unavailable", {"status": "draining"}
        if trouble := self._trouble():
            return "503 Service Unavailable", {"status": "degraded", "trouble": trouble}
        return "200 OK", {"status": "ok"}
