"""Being a child of the process lane: what such a process cannot reach, and what its functions are called."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from greenroom.errors import NotRunning, StoreUnavailable
from greenroom.lanes import _inside
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


def while_importing() -> NotRunning:
    """What a program is told that enqueues whenever it is imported."""
    return NotRunning(
        "this is a helper process of lane 'process', which imports the program to find its tasks, and enqueues "
        "nothing meanwhile: the program would do so once more in each of them. Put what it does when it is run, and "
        'not imported, under `if __name__ == "__main__":`.'
    )


def full_name(func: Callable[..., Any]) -> str:
    """What stored jobs know it by; what is __main__ in the parent is so in its children too."""
    module = "__main__" if _inside.is_child and func.__module__ == _inside.MAIN else func.__module__
    return f"{module}.{func.__qualname__}"
