"""A server that stands still once, at its Nth request: `freezing.py PORT N SECONDS`."""

import sys
import time

from gevent.pywsgi import WSGIServer

port, nth, seconds = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
count = 0


def app(environ, start_response):
    global count  # noqa: PLW0603 - a program of a dozen lines
    count += 1
    if count == nth:
        time.sleep(seconds)  # not patched: the whole loop stands still
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"done"]


class Server(WSGIServer):
    def handle(self, sock, address):
        sock.setsockopt(6, 1, 1)  # TCP_NODELAY
        super().handle(sock, address)


Server(("127.0.0.1", port), app, log=None).serve_forever()
