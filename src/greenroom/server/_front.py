"""What a request is given before the app sees it, whichever server has read it: an id, and a name to be known by."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterable
from types import FrameType
from typing import Any

from greenroom._piece import Piece
from greenroom.context import request_id
from greenroom.server._health import Wsgi
from greenroom.server._logs import escaped

_FIRST = 100  # the priority of a request that was put aside: before all but the most urgent tasks
_HARMLESS = re.compile(r"[A-Za-z0-9._:/+=@~-]{1,128}")


def name_request(environ: dict[str, Any]) -> str:
    """The id that the client or a proxy has given the request, if it does no harm; else a new one."""
    given = environ.get("HTTP_X_REQUEST_ID", "")
    name: str = given if _HARMLESS.fullmatch(given) else secrets.token_hex(16)
    environ["HTTP_X_REQUEST_ID"] = name
    return name


def piece_of_request(frame: FrameType, method: object, path: object, *, is_preemptible: bool) -> Piece:
    """The piece of work that a request is."""
    asked_for = str(path).partition("?")[0]  # the rest may be private
    name = escaped(f"{method} {asked_for}")
    return Piece(name, "request", frame, is_preemptible=is_preemptible, priority=_FIRST)


class Front:
    """A WSGI application: gives each request its id, for the app, its tasks and the answer."""

    def __init__(self, app: Wsgi) -> None:
        self._app = app

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        name = name_request(environ)
        request_id.set(name)

        def start(status: str, headers: list[tuple[str, str]], *error: Any) -> Any:
            theirs = [header for header in headers if header[0].lower() != "x-request-id"]
            return start_response(status, [*theirs, ("X-Request-ID", name)], *error)

        return self._app(environ, start)
