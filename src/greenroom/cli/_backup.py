"""`greenroom backup`: copies a store that is in use."""

from __future__ import annotations

import argparse
from pathlib import Path

from greenroom.clock import SystemClock
from greenroom.errors import GreenroomError
from greenroom.server import Refusal
from greenroom.server._find import find_app, find_room, room_named
from greenroom.server._refusal import FAILED
from greenroom.stores import store_at

HELP = "copy the database into a new file, while the app goes on using it"


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("app", metavar="MODULE:APP", nargs="?", help="the app whose store it is")
    parser.add_argument("--store", metavar="URL", help="the store itself, such as sqlite:///greenroom.db")
    parser.add_argument(
        "--room", metavar="MODULE:ROOM", help="the room, if it is not in the app's module, or there is no app"
    )
    parser.add_argument("target", metavar="TARGET", type=Path, help="a file that is not there yet")


def run(options: argparse.Namespace) -> int:
    url = _url(options)
    try:
        store = store_at(url, beside=Path.cwd(), durability="disk", clock=SystemClock())
        store.backup(options.target)
    except GreenroomError as error:
        raise Refusal(str(error), exit_code=FAILED) from None
    print(f"greenroom: {url} is copied to {options.target} ({options.target.stat().st_size} bytes)")
    return 0


def _url(options: argparse.Namespace) -> str:
    is_by_room = options.app is not None or options.room is not None
    if is_by_room is (options.store is not None):
        raise Refusal(
            "name either the app (app:app), or its room (--room tasks:room), or its store "
            "(--store sqlite:///greenroom.db)."
        )
    if options.store is not None:
        return str(options.store)
    if options.app is None:
        return room_named(options.room).url
    return find_room(options.room, find_app(options.app)).url
