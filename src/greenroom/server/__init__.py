"""The server: serves a WSGI app and runs its room's tasks, in one process, until it is told to end."""

from greenroom.server._address import USUAL
from greenroom.server._find import find_app, find_room, room_named
from greenroom.server._refusal import Refusal
from greenroom.server._serve import Wanted, serve
from greenroom.server._several import become_several

__all__ = ["USUAL", "Refusal", "Wanted", "become_several", "find_app", "find_room", "room_named", "serve"]
