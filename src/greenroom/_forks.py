"""Forks: a forked child is told, before anything else runs there, that what it has copies of is its parent's."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TypeVar
from weakref import WeakKeyDictionary

T = TypeVar("T")

_told: WeakKeyDictionary[object, Callable[[object], object]] = WeakKeyDictionary()


def in_child(thing: T, forsake: Callable[[T], object]) -> None:
    """Have `forsake(thing)` called in each forked child, for as long as the thing lives."""
    _told[thing] = forsake  # type: ignore[assignment]  # it is called with its own key alone


def _forked() -> None:
    for thing, forsake in list(_told.items()):
        forsake(thing)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)
