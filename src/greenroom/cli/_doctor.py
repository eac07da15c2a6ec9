"""`greenroom doctor app:app`: says how things stand, and what to do about what is not well. It changes nothing."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from greenroom.server import find_app, find_room, room_named
from greenroom.stores import SqliteStore

if TYPE_CHECKING:
    from greenroom.cli._findings import Finding

HELP = "say how things stand, and what to do about what is not well"
UNWELL = 1


def add(parser: argparse.ArgumentParser) -> None:
    """Describe the options."""
    parser.add_argument("app", metavar="MODULE:APP", nargs="?", help="the app, to have its room and store looked at")
    parser.add_argument(
        "--room", metavar="MODULE:ROOM", help="the room, if it is not in the app's module, or there is no app"
    )
    parser.add_argument("--json", action="store_true", help="for a program to read")


def run(options: argparse.Namespace) -> int:
    """Look, and tell. The exit code is 1 if anything is not well."""
    from greenroom.cli._findings import versions  # not at the top: a server that starts has no need of it

    findings = list(_look(options.app, options.room))
    is_well = all(finding.remedy is None for finding in findings)
    show = _as_json if options.json else _as_text
    sys.stdout.write(show(findings, versions(), is_well=is_well))
    return 0 if is_well else UNWELL


def _look(app: str | None, room_name: str | None) -> Iterator[Finding]:
    from greenroom.cli import _findings
    from greenroom.cli._findings import Finding

    yield from _findings.of_the_process(os.environ)
    if app is not None:
        room = find_room(room_name, find_app(app))
    elif room_name is not None:
        room = room_named(room_name)
    else:
        yield Finding(
            "room",
            "no app was named: `greenroom doctor app:app`, or --room tasks:room, has room and store looked at, too",
        )
        return
    yield from _findings.of_the_room(room)
    store = room.store
    if isinstance(store, SqliteStore):
        yield from _findings.of_what_is_stored(store)
        yield from _findings.of_the_file(store)
    else:
        yield Finding("store", f"{store.url}: jobs end with the process")


def _as_text(findings: list[Finding], versions: Mapping[str, str], *, is_well: bool) -> str:
    lines = [", ".join(f"{name} {number}" for name, number in versions.items())]
    for topic, text, remedy in findings:
        lines.append(f"{'ok' if remedy is None else '!!'}  {topic}: {text}")
        if remedy is not None:
            lines.append(f"      {remedy}")
    lines.append("All is well." if is_well else "Not all is well: see what is marked !!.")
    return "\n".join(lines) + "\n"


def _as_json(findings: list[Finding], versions: Mapping[str, str], *, is_well: bool) -> str:
    told = {
        "is_well": is_well,
        "versions": versions,
        "findings": [finding._asdict() for finding in findings],
    }
    return json.dumps(told, indent=2) + "\n"
