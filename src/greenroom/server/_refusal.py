"""A refusal: why nothing is served, in words for whoever typed the command."""

from __future__ import annotations

from greenroom.errors import GreenroomError

USAGE = 2  # the command line asks for what cannot be
FAILED = 1  # what it asks for makes sense, and did not work


class Refusal(GreenroomError):
    """Names the thing, the reason and the remedy. Its cause, if it has one, is worth a traceback."""

    def __init__(self, message: str, *, exit_code: int = USAGE) -> None:
        super().__init__(message)
        self.exit_code = exit_code
