"""A refusal: why nothing is served, in words for whoever typed the command."""

from __future__ import annotations

import sys
import traceback

from greenroom.errors import GreenroomError

USAGE = 2  # the command line asks for what cannot be
FAILED = 1  # what it asks for makes sense, and did not work


class Refusal(GreenroomError):
    """Names the thing, the reason and the remedy. Its cause, if it has one, is worth a traceback."""

    def __init__(self, message: str, *, exit_code: int = USAGE) -> None:
        super().__init__(message)
        self.exit_code = exit_code

    def show(self, command: str) -> None:
        """Print it, as what that command of greenroom's has to say."""
        if self.__cause__ is not None:
            _show(self.__cause__)
        sys.stderr.write(f"greenroom {command}: {self}\n")


def _show(error: BaseException) -> None:
    """Print the traceback from the app's own code on, without the frames that led to it."""
    part = error.__traceback__
    while part is not None and _is_on_the_way(part.tb_frame.f_globals.get("__name__", "")):
        part = part.tb_next
    traceback.print_exception(error.with_traceback(part))


def _is_on_the_way(module: str) -> bool:
    return module.partition(".")[0] in ("greenroom", "importlib", "_frozen_importlib")
