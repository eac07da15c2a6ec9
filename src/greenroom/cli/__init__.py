"""The command line: `greenroom serve app:app`, and what else it can do, one file a command."""

from __future__ import annotations

import argparse
import sys
import traceback
from collections.abc import Mapping, Sequence
from typing import Protocol

from greenroom.cli import _serve
from greenroom.server import Refusal


class Command(Protocol):
    """The file of a command."""

    HELP: str

    def add(self, parser: argparse.ArgumentParser, /) -> None:
        """Describe its options."""

    def run(self, options: argparse.Namespace, /) -> int:
        """Do it, and say the exit code. Raises Refusal."""


_COMMANDS: Mapping[str, Command] = {"serve": _serve}


def main(argv: Sequence[str] | None = None) -> int:
    """Do what the command line says. The exit code is 2 if it makes no sense, 1 if it did not work."""
    options = _parser().parse_args(argv)
    try:
        return _COMMANDS[options.command].run(options)
    except Refusal as refusal:
        if refusal.__cause__ is not None:
            _show(refusal.__cause__)
        print(f"greenroom {options.command}: {refusal}", file=sys.stderr)
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


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="greenroom", description="Background work that waits its turn inside your web app's own process."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND", dest="command")
    for name, command in _COMMANDS.items():
        command.add(commands.add_parser(name, help=command.HELP))
    return parser
