"""A server: accepts connections until it is drained, and then lets the requests that are here end."""

from __future__ import annotations

from gevent.pool import Pool
from gevent.pywsgi import WSGIServer

from greenroom.server._handler import Handler
from greenroom.server._health import Wsgi
from greenroom.server._listener import Listener

_LINGER = 5.0  # seconds that kept-alive connections are kept, after a successor has taken over, for one more request
_GRACE = 1.0  # seconds that requests have to end in once they are cut off


class Server(WSGIServer):  # type: ignore[misc]  # gevent is not typed
    """pywsgi's, on a listener that is bound already."""

    handler_class = Handler
    pool: Pool

    def __init__(self, listener: Listener, app: Wsgi, *, preempts_requests: bool = False) -> None:
        self.preempts_requests = preempts_requests
        self.is_draining = False
        self.is_hanging_up = False
        self.idle: set[Handler] = set()  # connections between two requests
        address = listener.address
        environ = {
            "SERVER_SOFTWARE": "greenroom",  # without a version: some apps show it
            "SERVER_NAME": address.host or "localhost",  # else it is looked up in the DNS, which may hang
            "SERVER_PORT": str(listener.port),
        }
        super().__init__(listener.socket, app, spawn=Pool(), log=None, environ=environ)

    def drain(self, seconds: float, *, is_handed_over: bool = False) -> None:
        """Stop accepting, let requests go on for so long, and cut off what is left.

        If another process accepts from now on, nobody need notice: connections that are kept alive are kept for one
        more request, whose answer says that it was the last, and whoever has just connected is not hung up on.
        """
        self.is_draining = True
        if is_handed_over:
            self.close()
            self.pool.join(timeout=min(_LINGER, seconds))
        else:
            self._do_read()  # what has connected by now is still accepted
            self.close()
        self.is_hanging_up = True
        for handler in list(self.idle):
            handler.hang_up()
        self.pool.join(timeout=seconds)
        self.pool.kill(timeout=_GRACE)

    def cut(self) -> None:
        """End the requests that still run, now."""
        self.pool.kill(block=False)
