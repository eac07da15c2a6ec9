"""The command line: `greenroom serve app:app`."""

from __future__ import annotations

import argparse
import sys
import traceback
from collections.abc import Sequence

from greenroom.server import Refusal, Wanted, serve

_LEVELS = ("debug", "info", "warning", "error")


def main(argv: Sequence[str] | None = None) -> int:
    """Do what the command line says. The exit code is 2 if it makes no sense, 1 if it did not work."""
    options = _parser().parse_args(argv)
    try:
        return serve(_wanted(options))
    except Refusal as refusal:
        if refusal.__cause__ is not None:
            _show(refusal.__cause__)
        print(f"greenroom serve: {refusal}", file=sys.stderr)
        return refusal.exit_code
    except KeyboardInterrupt:
        return 130  # as a shell reports it; once the server runs, SIGINT is a stop like SIGTERM


def _show(error: BaseException) -> None:
    """Print the traceback from the app's own code on, without the frames that led to it."""
    part = error.__traceback__
    while part is not None and _is_on_the_way(part.tb_frame.f_globals.get("__name__", "")):
        part = part.tb_next
    traceback.print_exception(error.with_traceback(part))


def _is_on_the_way(module: str) -> bool:
    return module.partition(".")[0] in ("greenroom", "importlib", "_frozen_importlib")


def _wanted(options: argparse.Namespace) -> Wanted:
    if options.workers != 1:
        raise Refusal(
            f"--workers {options.workers} is not possible yet: the app has one process. Leave --workers out."
        )
    if not 0 <= options.drain < float("inf"):
        raise Refusal(f"--drain {options.drain:g} is no length of time: give seconds, 0 or more.")
    return Wanted(
        app=options.app,
        room=options.room,
        bind=options.bind,
        drain=options.drain,
        healthz=not options.no_healthz,
        access_log=options.access_log,
        log_level=options.log_level,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="greenroom", description="Background work that waits its turn inside your web app's own process."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_serve(commands.add_parser("serve", help="serve a WSGI app, and run its tasks in the same process"))
    return parser


def _add_serve(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("app", metavar="MODULE:APP", help="app:app, pkg.web:site.app or pkg.web:create_app()")
    parser.add_argument(
        "--bind",
        metavar="ADDRESS",
        default="127.0.0.1:8888",
        help="host:port, [::1]:port or unix:/path (%(default)s)",
    )
    parser.add_argument("--workers", type=int, metavar="N", default=1, help="processes: only 1 is possible yet")
    parser.add_argument(
        "--drain",
        type=float,
        metavar="SECONDS",
        default=30.0,
        help="how long requests and tasks may go on after SIGTERM or SIGINT (%(default)g)",
    )
    parser.add_argument("--room", metavar="MODULE:ROOM", help="where the Greenroom is (found in the app's module)")
    parser.add_argument("--no-healthz", action="store_true", help="leave /healthz to the app")
    parser.add_argument(
        "--access-log",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="log a line for each request",
    )
    parser.add_argument("--log-level", choices=_LEVELS, help="how much is logged (info, unless the app says)")
