"""Pieces of work of every kind that a task may do, by the name of their theme and their own.

A piece is given its `Here` and returns something to compare, which depends on nothing but the number of the piece.
"""

import tempfile
from functools import cached_property
from pathlib import Path
from random import Random

from pieces import data, files, flow, libraries, markup, memory, text, together


class Here:
    """What one performance of a piece has of its own, and what it shares with all the others."""

    def __init__(self, number, shared):
        self.number = number
        self.shared = shared
        self.random = Random(number)

    @cached_property
    def folder(self):
        """A folder of its own."""
        return Path(tempfile.mkdtemp(dir=self.shared.folder))


PIECES = {
    f"{theme.__name__.removeprefix('pieces.')}.{piece.__name__}": piece
    for theme in (text, markup, data, memory, flow, together, files, libraries)
    for piece in theme.PIECES
}
