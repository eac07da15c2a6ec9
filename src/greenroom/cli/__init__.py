"""The command line: `greenroom serve app:app`, and what else it can do, one file a command."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

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
    name, options = _understood(sys.argv[1:] if argv is None else argv)
    try:
        return _COMMANDS[name].run(options)
    except Refusal as refusal:
        refusal.show(name)
        return refusal.exit_code
    except KeyboardInterrupt:
        return 130  # as a shell reports it; once the server runs, SIGINT is a stop like SIGTERM


class _Version(argparse.Action):
    """Its own, for argparse's would have it looked up at each start."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        from importlib.metadata import version

        sys.stdout.write(f"greenroom {version('greenroom')}\n")  # exit() would say it to stderr
        parser.exit()


def _understood(argv: Sequence[str]) -> tuple[str, argparse.Namespace]:
    """The command, and its options."""
    parser = argparse.ArgumentParser(
        prog="greenroom", description="Background work that waits its turn inside your web app's own process."
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="say which greenroom this is")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", dest="command")
    parsers = {name: commands.add_parser(name, help=command.HELP) for name, command in _COMMANDS.items()}
    for name, command in _COMMANDS.items():
        command.add(parsers[name])
    if argv and argv[0] in parsers:
        # By its own parser, as the one above cannot intermix: after an option it would take TARGET for unknown.
        return argv[0], parsers[argv[0]].parse_intermixed_args(argv[1:])
    options = parser.parse_args(argv)
    return options.command, options
