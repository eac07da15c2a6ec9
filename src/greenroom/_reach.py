"""What is out of reach for a task in lane "process": the memory of the process that it runs for."""

from __future__ import annotations

from typing import Any

from greenroom.errors import NotRunning, StoreUnavailable
from greenroom.stores import MemoryStore


class OutOfReach(MemoryStore):
    """The memory of another process, for whose sake this one runs a task."""

    @staticmethod
    def error() -> StoreUnavailable:
        return StoreUnavailable(
            "a task in lane 'process' cannot enqueue what lives in memory: that is another process's. Enqueue a "
            "durable task of a room with a file, such as sqlite:///greenroom.db, or run this task in another lane."
        )

    def add(self, *args: Any, **kwargs: Any) -> Any:
        raise self.error()


def in_child(verb: str) -> NotRunning:
    """What a task is told that uses `room.verb` there."""
    return NotRunning(
        f"room.{verb}() cannot be used by a task in lane 'process': its process ends with it. Enqueue a durable "
        "task, or run this one in another lane."
    )
