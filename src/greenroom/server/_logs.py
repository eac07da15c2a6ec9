"""The server's logs: where they go if the app has not said, and how what clients send is put into a line."""

from __future__ import annotations

import logging

access = logging.getLogger("greenroom.access")

_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
# A client could otherwise forge lines, close the quotes, or command the terminal that the log is read in.
_ESCAPES = {number: f"\\x{number:02x}" for number in (*range(32), ord('"'), *range(127, 160))}
_ESCAPES[ord("\\")] = "\\\\"


def escaped(text: str) -> str:
    """The text with control characters, quotes and backslashes written out: it stays on its line."""
    return text.translate(_ESCAPES)


def set_up_logs(level: str | None, *, access_log: bool) -> None:
    """Log to stderr, from `level` or else "info" up. What the app has arranged for itself is left as it is."""
    wanted = (level or "info").upper()
    logging.basicConfig(level=wanted, format=_FORMAT)
    ours = logging.getLogger("greenroom")
    if level is not None or ours.level == logging.NOTSET:
        ours.setLevel(wanted)
    if not access_log:
        access.setLevel(logging.CRITICAL)
