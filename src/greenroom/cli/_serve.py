"""`greenroom serve app:app`: the options of the server."""

from __future__ import annotations

import argparse

from greenroom.server import USUAL, Refusal, Wanted, become_several, serve

HELP = "serve a WSGI app, and run its tasks in the same process"
_LEVELS = ("debug", "info", "warning", "error")


def run(options: argparse.Namespace) -> int:
    """Serve until told to end."""
    wanted = _wanted(options)
    if options.workers > 1:
        become_several(wanted, options.workers)
    return serve(wanted)


def add(parser: argparse.ArgumentParser) -> None:
    """Describe the options."""
    parser.add_argument("app", metavar="MODULE:APP", help="app:app, pkg.web:site.app or pkg.web:create_app()")
    parser.add_argument(
        "--bind",
        metavar="ADDRESS",
        help=f"host:port, [::1]:port or unix:/path ({USUAL}, or the socket that systemd passes on)",
    )
    parser.add_argument("--workers", type=int, metavar="N", default=1, help="processes (%(default)s)")
    parser.add_argument(
        "--drain",
        type=float,
        metavar="SECONDS",
        default=30.0,
        help="how long requests and tasks may go on after SIGTERM or SIGINT (%(default)g)",
    )
    parser.add_argument(
        "--start-timeout",
        type=float,
        metavar="SECONDS",
        default=60.0,
        help="how long a successor, started on SIGHUP, has until it serves (%(default)g)",
    )
    parser.add_argument("--pid", metavar="FILE", help="write the number of the process that serves into this file")
    parser.add_argument("--room", metavar="MODULE:ROOM", help="where the Greenroom is (found in the app's module)")
    parser.add_argument("--no-healthz", action="store_true", help="leave /healthz to the app")
    parser.add_argument(
        "--access-log",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="log a line for each request",
    )
    parser.add_argument("--log-level", choices=_LEVELS, help="how much is logged (info, unless the app says)")


def _wanted(options: argparse.Namespace) -> Wanted:
    if options.workers < 1:
        raise Refusal(f"--workers {options.workers} is no number of processes: give 1 or more.")
    if not 0 <= options.drain < float("inf"):
        raise Refusal(f"--drain {options.drain:g} is no length of time: give seconds, 0 or more.")
    if not 0 < options.start_timeout < float("inf"):
        raise Refusal(f"--start-timeout {options.start_timeout:g} is no length of time: give seconds, more than 0.")
    return Wanted(
        app=options.app,
        room=options.room,
        bind=options.bind,
        drain=options.drain,
        start_timeout=options.start_timeout,
        pid=options.pid,
        healthz=not options.no_healthz,
        access_log=options.access_log,
        log_level=options.log_level,
    )
