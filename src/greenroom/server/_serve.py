"""Serving: from the command line to the exit code.

find the app and its room ──> bind ──> start the room ──> accept ──> ... told to stop, or a successor accepts
                                                                         │
                  exit code <── close the store <── requests and tasks end, side by side
"""

from __future__ import annotations

import logging
import os
import signal
import sys
from dataclasses import dataclass

from gevent import joinall, spawn

from greenroom import _forks
from greenroom.app import Greenroom
from greenroom.errors import InvalidOption, StoreError
from greenroom.server._address import USUAL, parse_address
from greenroom.server._deploy import Deploy
from greenroom.server._find import Found, find_app, find_room
from greenroom.server._health import Health
from greenroom.server._listener import Listener
from greenroom.server._logs import set_up_logs
from greenroom.server._origin import Origin
from greenroom.server._refusal import FAILED, Refusal
from greenroom.server._server import Server
from greenroom.server._stop import Stop
from greenroom.server._successor import Predecessor
from greenroom.server._supervisor import Supervisor, sent_by_systemd

log = logging.getLogger("greenroom.server")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What the command line asks for. `room` is found in the app's module if it is None.

    `bind` is None for the usual address, or for the socket that systemd passes on. `start_timeout` is how many
    seconds a successor has until it serves.
    """

    app: str
    room: str | None
    bind: str | None
    drain: float
    start_timeout: float
    pid: str | None
    healthz: bool
    access_log: bool
    log_level: str | None


def serve(wanted: Wanted) -> int:
    """Serve until SIGTERM or SIGINT, or until a successor does, and return the exit code.

    Raises Refusal if that cannot begin.
    """
    _can_be_told_to_end()
    origin = Origin.here()
    predecessor = Predecessor.here()
    supervisor = Supervisor(os.environ, wanted.pid)
    listener = _passed_on(wanted, predecessor)
    try:
        app = find_app(wanted.app)
        room = find_room(wanted.room, app)
        if predecessor is not None:
            predecessor.must_share(room.url)
        set_up_logs(wanted.log_level, access_log=wanted.access_log)
        listener = listener or Listener.at(parse_address(wanted.bind or USUAL))
        with Stop(wanted.drain, room.give_back) as stop:
            deploy = Deploy(origin, listener, room.url, stop, supervisor, patience=wanted.start_timeout)
            server = _serve(wanted, app, room, listener, deploy)
            supervisor.is_ready()
            if predecessor is not None:
                predecessor.give_way(listener)
            _announce(wanted, listener, room, predecessor)
            stop.asked.wait()
            deploy.close()
            return _end(server, room, stop, is_handed_over=deploy.is_handed_over)
    finally:
        supervisor.forget()
        if listener is not None:
            listener.close()


def _can_be_told_to_end() -> None:
    """While the app loads, too: a container's first process ignores SIGTERM until there is a handler for it."""
    if os.getpid() == 1:
        signal.signal(signal.SIGTERM, lambda number, _frame: os._exit(128 + number))


def _passed_on(wanted: Wanted, predecessor: Predecessor | None) -> Listener | None:
    """The socket that was passed on to this process, if any was. What is asked for must make sense all the same."""
    if wanted.bind is not None:
        parse_address(wanted.bind)
    number = sent_by_systemd(os.environ) if predecessor is None else predecessor.listener
    return None if number is None else Listener.passed_on(number)


def _serve(wanted: Wanted, app: Found, room: Greenroom, listener: Listener, deploy: Deploy) -> Server:
    health = Health(app.value, trouble=room.trouble, is_stopping=deploy.is_stopping)
    serving = health if wanted.healthz else app.value
    server = Server(listener, serving, preempts_requests=room.preempts_requests)
    _start(room)
    server.start()
    _forks.in_child(server, Server.stop_accepting)
    return server


def _start(room: Greenroom) -> None:
    try:
        room.start()
    except (StoreError, InvalidOption) as error:
        raise Refusal(str(error), exit_code=FAILED) from None


def _announce(wanted: Wanted, listener: Listener, room: Greenroom, predecessor: Predecessor | None) -> None:
    lanes = " ".join(f"{lane}={size}" for lane, size in room.lanes.items())
    before = "" if predecessor is None else f", in the place of {predecessor.pid}"
    sys.stderr.write(
        f"greenroom: serving {wanted.app} at {listener.url} (store {room.url}, lanes {lanes}, "
        f"drain {wanted.drain:g} s, pid {os.getpid()}{before})\n"
    )
    if predecessor is None and wanted.bind not in (None, str(listener.address)) and listener.is_passed_on:
        log.warning("--bind %s is not used: systemd passes on a socket at %s.", wanted.bind, listener.address)
    if not listener.address.is_local:
        log.warning(
            "%s can be reached from other machines: let a proxy that speaks TLS stand in front.",
            listener.address,
        )


def _end(server: Server, room: Greenroom, stop: Stop, *, is_handed_over: bool) -> int:
    """Let requests and tasks end side by side, until both have or a second signal comes."""
    ending = [
        spawn(server.drain, stop.left(), is_handed_over=is_handed_over),
        spawn(room.stop, stop.left()),
    ]
    last = spawn(_hurry, server, room, stop)
    joinall(ending)
    stop.urgent.set()
    last.join()
    return 0 if all(greenlet.successful() for greenlet in (*ending, last)) else FAILED


def _hurry(server: Server, room: Greenroom, stop: Stop) -> None:
    stop.urgent.wait()
    server.cut()
    room.stop(0)  # also closes the store that a late request has opened again
