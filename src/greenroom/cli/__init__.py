"""The command line: `greenroom serve app:app`, and what else it can do, one file a command."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from typing import Protocol

from greenroom.cli import _backup, _doctor, _serve
from greenroom.server import Refusal


class Command(Protocol):
    """The file of a command."""

    HELP: str

    def add(self, parser: argparse.ArgumentParser, /) -> None:
        """Describe its options."""

    def run(self, options: argparse.Namespace, /) -> int:
        """Do it, and say the exit code. Raises Refusal."""


_COMMANDS: Mapping[str, Command] = {"serve": _serve, "doctor": _doctor, "backup": _backup}


def main(argv: Sequence[str] | None = None) -> int:
    """Do what the command line says. The exit code is 2 if it makes no sense, 1 if it did not work."""
    options = _parser().parse_args(argv)
    try:
        return _COMMANDS[options.command].run(options)
    except Refusal as refusal:
        refusal.show(options.command)
        return refusal.exit_code
    except KeyboardInterrupt:
        return 130  # as a shell reports it; once the server runs, SIGINT is a stop like SIGTERM


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="greenroom", description="Background work that waits its turn inside your web app's own process."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND", dest="command")
    for name, command in _COMMANDS.items():
        command.add(commands.add_parser(name, help=command.HELP))
    return parser
