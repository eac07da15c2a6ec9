"""gevent's own WSGI server on a loopback port: the web process without a task queue."""

from __future__ import annotations

from typing import Any

from gevent.pywsgi import WSGIServer


def serve(app: Any, port: str) -> None:
    WSGIServer(("127.0.0.1", int(port)), app, log=None).serve_forever()
