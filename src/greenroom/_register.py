"""The register: the tasks of a room, by their names and by the older ones that they answer to."""

from __future__ import annotations

from typing import Any

from greenroom.errors import InvalidTask
from greenroom.task import Task


class Register:
    """`tasks` has each once, by its own name; `names` has older ones, too."""

    def __init__(self) -> None:
        self.tasks: dict[str, Task[..., Any]] = {}
        self.names: dict[str, Task[..., Any]] = {}

    def add(self, task: Task[..., Any]) -> None:
        """Raises InvalidTask if another has one of its names."""
        for name in (task.name, *task.aliases):
            taken = self.names.get(name)
            if taken is not None:
                raise InvalidTask(
                    f"two tasks are named {name!r}: {taken.func.__module__}.{taken.func.__qualname__} and "
                    f"{task.func.__module__}.{task.func.__qualname__}. Give one of them another name=."
                )
        self.tasks[task.name] = task
        self.names.update(dict.fromkeys((task.name, *task.aliases), task))
