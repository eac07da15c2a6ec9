"""Serving: from the command line to the exit code.

find the app and its room ──> bind ──> start the room ──> accept ──> ... told to stop
                                                                         │
                  exit code <── close the store <── requests and tasks end, side by side
"""

from __future__ import annotations

import logging
import os
import sys
from dataclasses import dataclass

from gevent import joinall, spawn

from greenroom.app import Greenroom
from greenroom.errors import InvalidOption, StoreError
from greenroom.server._address import parse_address
from greenroom.server._find import find_app, find_room
from greenroom.server._health import Health
from greenroom.server._listener import Listener
from greenroom.server._logs import set_up_logs
from greenroom.server._refusal import FAILED, Refusal
from greenroom.server._server import Server
from greenroom.server._stop import Stop

log = logging.getLogger("greenroom.server")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What the command line asks for. `room` is found in the app's module if it is None."""

    app: str
    room: str | None
    bind: str
    drain: float
    healthz: bool
    access_log: bool
    log_level: str | None


def serve(wanted: Wanted) -> int:
    """Serve until SIGTERM or SIGINT, and return the exit code. Raises Refusal if that cannot begin."""
    address = parse_address(wanted.bind)
    app = find_app(wanted.app)
    room = find_room(wanted.room, app)
    set_up_logs(wanted.log_level, access_log=wanted.access_log)
    listener = Listener(address)
    try:
        with Stop(wanted.drain) as stop:
            health = Health(app.value, trouble=room.trouble, is_stopping=stop.asked.is_set)
            serving = health if wanted.healthz else app.value
            server = Server(listener, serving, preempts_requests=room.preempts_requests)
            _start(room)
            server.start()
            _announce(wanted, listener, room)
            stop.asked.wait()
            return _end(server, room, stop)
    finally:
        listener.close()


def _start(room: Greenroom) -> None:
    try:
        room.start()
    except (StoreError, InvalidOption) as error:
        raise Refusal(str(error), exit_code=FAILED) from None


def _announce(wanted: Wanted, listener: Listener, room: Greenroom) -> None:
    lanes = " ".join(f"{lane}={size}" for lane, size in room.lanes.items())
    sys.stderr.write(
        f"greenroom: serving {wanted.app} at {listener.url} (store {room.url}, lanes {lanes}, "
        f"drain {wanted.drain:g} s, pid {os.getpid()})\n"
    )
    if not listener.address.is_local:
        log.warning(
            "%s can be reached from other machines: let a proxy that speaks TLS stand in front.",
            listener.address,
        )


def _end(server: Server, room: Greenroom, stop: Stop) -> int:
    """Let requests and tasks end side by side, until both have or a second signal comes."""
    ending = [spawn(server.drain, stop.left()), spawn(room.stop, stop.left())]
    last = spawn(_hurry, server, room, stop)
    joinall(ending)
    stop.urgent.set()
    last.join()
    return 0 if all(greenlet.successful() for greenlet in (*ending, last)) else FAILED


def _hurry(server: Server, room: Greenroom, stop: Stop) -> None:
    stop.urgent.wait()
    server.cut()
    room.stop(0)  # also closes the store that a late request has opened again
