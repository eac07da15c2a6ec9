"""Orders: how a child finds what its parent means, in modules that it imports by itself."""

from __future__ import annotations

import importlib
import pickle
import runpy
import sys
from contextlib import suppress
from types import ModuleType
from typing import Any, NamedTuple

from greenroom._attempt import Stopped
from greenroom.app import Greenroom
from greenroom.errors import InvalidPayload, InvalidTask
from greenroom.lanes import _inside
from greenroom.lanes._inside import MAIN
from greenroom.lanes._messages import Main, Order, Stop
from greenroom.task import Task

_failed: list[BaseException] = []  # what the parent's `__main__` raised when it was run here


class Found(NamedTuple):
    """A function, and the task that it is, if that is to be had: the parent knows all about it."""

    task: Task[..., Any] | None
    function: Any
    rooms: set[Greenroom]


def find(order: Order) -> Found:
    """The function that is meant. Raises InvalidTask."""
    module = _imported(order)
    value: Any = module
    for part in order.qualname.split("."):
        value = getattr(value, part, None)
    if isinstance(value, Task):
        return Found(value, value.func, {value.room})  # type: ignore[arg-type]
    for room in vars(module).values():
        if isinstance(room, Greenroom) and order.task in room.tasks:
            task = room.tasks[order.task]
            return Found(task, task.func, {room})
    if callable(value):
        return Found(None, value, set())
    raise InvalidTask(
        f"task {order.task} cannot run in lane 'process': a child process that imports {order.module} finds no "
        f"{order.qualname} there. Declare it whenever the module is imported, at module level."
    )


def arguments(order: Order) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """What it is to be called with. Raises InvalidPayload."""
    try:
        args, kwargs = pickle.loads(order.call)  # noqa: S301  (of our parent)
    except Exception as error:
        raise InvalidPayload(
            f"the arguments of task {order.task} cannot be read in its process: {type(error).__name__}: {error}. "
            "Give it what both can import."
        ) from error
    return args, kwargs


def stop_error(message: object) -> BaseException:
    """What is to be raised in the task."""
    if isinstance(message, Stop) and message.error is not None:
        with suppress(Exception):
            error = pickle.loads(message.error)  # noqa: S301  (of our parent)
            if isinstance(error, BaseException):
                return error
    return Stopped()


def run_main(main: Main) -> None:
    """Run the parent's `__main__` here too, under a name that its `if __name__ == "__main__"` does not meet."""
    if MAIN in sys.modules:
        return
    module = ModuleType(MAIN)
    sys.modules[MAIN] = sys.modules["__main__"] = module
    try:
        if main.name is not None:
            found = runpy.run_module(main.name, run_name=MAIN, alter_sys=True)
        else:
            found = runpy.run_path(str(main.path), run_name=MAIN)
    except BaseException as error:
        del sys.modules[MAIN]
        _failed.append(error)
        raise
    vars(module).update(found)


def _imported(order: Order) -> ModuleType:
    name = MAIN if order.module == "__main__" else order.module
    _inside.is_importing = True
    try:
        return importlib.import_module(name)
    except Exception as error:
        reason = _failed[0] if name == MAIN and _failed else error
        raise InvalidTask(
            f"task {order.task} cannot run in lane 'process': a child process could not import {order.module}: "
            f"{type(reason).__name__}: {reason}. Make it importable there, or use another lane."
        ) from error
    finally:
        _inside.is_importing = False
