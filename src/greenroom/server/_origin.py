"""An origin: how this process was started, so that its successor can be started in the same way.

It is taken down before the app is imported, which may change the environment and the folder: what a deploy has
changed, such as an .env file, is to be seen by the successor.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """A command line, the folder it was typed in, and the environment."""

    command: tuple[str, ...]
    folder: str
    environ: Mapping[str, str]

    @classmethod
    def here(cls) -> Origin:
        """That of this process."""
        return cls(
            command=(sys.executable, *sys.orig_argv[1:]),
            folder=_folder(),
            environ=dict(os.environ),
        )


def _folder() -> str:
    """By the name that the shell knew it by: `/srv/app/current` may lead elsewhere after a deploy."""
    here, named = os.getcwd(), os.environ.get("PWD", "")  # noqa: PTH109  (text, for a shell)
    try:
        return named if os.path.isabs(named) and os.path.samefile(named, here) else here  # noqa: PTH117, PTH121
    except OSError:
        return here
