"""Where jobs live: one file a store, and the one place where a store's URL is read."""

from __future__ import annotations

from pathlib import Path

from greenroom.clock import Clock
from greenroom.errors import InvalidOption
from greenroom.stores.base import Store
from greenroom.stores.memory import MemoryStore
from greenroom.stores.sqlite import Durability, SqliteStore

__all__ = ["MemoryStore", "SqliteStore", "Store", "store_at"]


def store_at(url: str, *, beside: Path, durability: Durability, clock: Clock) -> Store:
    """Make the store that the URL names, not yet open; relative paths are taken from the folder `beside`."""
    scheme, separator, rest = url.partition("://")
    match scheme if separator else "":
        case "memory" if not rest:
            return MemoryStore(clock=clock)
        case "sqlite" if rest.startswith("/") and len(rest) > 1:
            return SqliteStore(beside / rest[1:], durability=durability, clock=clock)
        case "sqlite":
            raise InvalidOption(
                f"store URL {url!r} names no file: use sqlite:///greenroom.db (beside the app) or "
                "sqlite:////var/lib/app/greenroom.db (four slashes: from the root)."
            )
    raise InvalidOption(
        f"store URL {_without_password(url)!r} is of no known kind: use sqlite:///greenroom.db (beside the app), "
        "sqlite:////absolute/path.db or memory://."
    )


def _without_password(url: str) -> str:
    scheme, separator, rest = url.partition("://")
    return f"{scheme}{separator}{rest.rpartition('@')[2]}"
