"""The same small Flask app beside tasks that are run in one way or another.

python -m benchmarks.apps.beside CONTENDER LOAD PORT
"""

from gevent import monkey

monkey.patch_all()

import os
import socket
import sys
from typing import Any

import gevent
from flask import Flask
from gevent.pywsgi import WSGIServer

from benchmarks.apps.keeper import Do, keep, lacking
from benchmarks.chores import CHORES, LOADS, warm_up
from benchmarks.side import Unavailable

SOON = 0.05  # seconds until the tasks begin, so that whoever let them begin has his answer

app = Flask(__name__)


@app.get("/")
def index():
    return "done"


class Server(WSGIServer):
    """As shipped it answers over a keep-alive connection in two segments, the second 40 ms after the first."""

    def handle(self, connection: Any, address: Any) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        super().handle(connection, address)


def by_nobody() -> Do:
    """There are no tasks, or a process of their own runs them."""

    def do(name: str) -> None:
        raise RuntimeError(f"nobody here does {name}")

    return do


def by_spawn() -> Do:
    return lambda name: gevent.spawn(CHORES[name]).get()


def by_spawn_giving_way() -> Do:
    giving_way = {"compute": CHORES["compute_giving_way"]}
    return lambda name: gevent.spawn(giving_way.get(name, CHORES[name])).get()


def by_threadpool() -> Do:
    pool = gevent.get_hub().threadpool
    return lambda name: pool.spawn(CHORES[name]).get()


def by_room() -> Do:
    """In the lane that BENCHMARK_LANE names."""
    from benchmarks.apps.room import chore, room

    room.start()
    return lambda name: chore.enqueue(name).wait().return_value


def by_room_tracked() -> Do:
    from greenroom import track  # noqa: F401 - is it there?

    do = by_room()
    return lambda name: do("compute_tracked" if name == "compute" else name)


def by_room_at_rest() -> Do:
    do = by_room()
    do("wait")  # at rest after work, not before the first of it
    return do


CONTENDERS = {
    "nobody": by_nobody,
    "spawn": by_spawn,
    "giving_way": by_spawn_giving_way,
    "threadpool": by_threadpool,
    "room": by_room,
    "room_tracked": by_room_tracked,
    "room_at_rest": by_room_at_rest,
}


def main(contender: str, load: str, port: str) -> None:
    try:
        do = CONTENDERS[contender]()
        for share in LOADS[load]:
            warm_up(share.chore)
    except (Unavailable, ImportError) as lack:
        lacking(lack)

    @app.get("/begin")
    def begin():
        gevent.spawn_later(SOON, keep, load, do)
        return "begun"

    Server(("127.0.0.1", int(port)), app, log=None).serve_forever()
    os._exit(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
