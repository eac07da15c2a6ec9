"""What is to be served, found by name: the WSGI app, and the room that runs its tasks."""

from __future__ import annotations

import importlib
import inspect
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from types import ModuleType
from typing import Any, Self

from greenroom.app import Greenroom
from greenroom.server._refusal import FAILED, Refusal

_TARGET = re.compile(r"(?P<module>\w+(\.\w+)*):(?P<path>[^\W\d]\w*(\.[^\W\d]\w*)*)(?P<call>\(\))?")

_IN_PLACE = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


class Found:
    """What `module:attribute` or `module:factory()` names. Raises Refusal if that is nothing.

    The working folder is importable from here on. `option` is what names a room; without it, an app is named.
    """

    def __init__(self, target: str, option: str = "") -> None:
        parts = _TARGET.fullmatch(target)
        if parts is None:
            raise Refusal(_not_a_target(target, option))
        folder = str(Path.cwd())
        if folder not in sys.path:
            sys.path.insert(0, folder)
        self.target = target
        self.module = _import(parts["module"], target, option)
        self.value: Any = self.module
        for attribute in parts["path"].split("."):
            self.value = _attribute(self.value, attribute, target)
        if parts["call"]:
            self.value = _call(self.value, target)

    @classmethod
    def by_others(cls, target: str, value: object) -> Self:
        """What another server has found under that name."""
        found = cls.__new__(cls)
        found.target = target
        found.module = _import(target.partition(":")[0], target)
        found.value = value
        return found


def find_app(target: str) -> Found:
    """The WSGI application of that name."""
    found = Found(target)
    app = found.value
    if not callable(app):
        raise Refusal(
            f"{target} is not a WSGI application: it is of type {type(app).__name__}, and cannot be called. Name "
            "the app, or a factory: app:create_app()."
        )
    if inspect.iscoroutinefunction(app) or inspect.iscoroutinefunction(type(app).__call__):
        raise Refusal(f"{target} is an ASGI application, and greenroom serves WSGI. Serve it with an ASGI server.")
    if (reason := _why_not(app)) is not None:
        raise Refusal(f"{target} is not a WSGI application: {reason}. If it is a factory, call it: {target}().")
    return found


def room_named(target: str, option: str = "--room ") -> Greenroom:
    """The room of that name, which needs no app. `option` is what named it, up to the name."""
    found = Found(target, option)
    if not isinstance(found.value, Greenroom):
        raise Refusal(f"{option}{target} is not a Greenroom: it is of type {type(found.value).__name__}.")
    return found.value


def find_room(target: str | None, app: Found, option: str = "--room ") -> Greenroom:
    """The room of that name; without one, the app's own, or the only one in its module."""
    if target is not None:
        return room_named(target, option)
    extensions = getattr(app.value, "extensions", None)
    own = extensions.get("greenroom") if isinstance(extensions, Mapping) else None
    if isinstance(own, Greenroom):
        return own
    return _only_room(app, option)


def _only_room(app: Found, option: str) -> Greenroom:
    module = app.module.__name__
    rooms: dict[Greenroom, str] = {}  # each by its first name
    for name, value in vars(app.module).items():
        if isinstance(value, Greenroom):
            rooms.setdefault(value, f"{module}:{name}")
    if not rooms:
        raise Refusal(
            f"{app.target} has no room: there is no Greenroom in module {module}, nor in "
            f"app.extensions['greenroom']. Say where it is: {option}tasks:room."
        )
    first, *others = rooms
    if others:
        raise Refusal(f"there are several rooms: {', '.join(rooms.values())}. Say which one: {option}{rooms[first]}.")
    return first


def _import(name: str, target: str, option: str = "") -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise _failed(f"importing module {name} failed", target) from error
        if name.endswith(".py"):
            raise Refusal(_not_a_target(target, option)) from None
        close = _did_you_mean(error.name.rpartition(".")[2], _modules_beside(error.name))
        raise Refusal(
            f"{target} cannot be found: there is no module {error.name} in {Path.cwd()}, nor where Python "
            f"looks.{close} Run this in the folder that holds it."
        ) from None
    except Exception as error:  # whatever the app's module raises is shown to who started it
        raise _failed(f"importing module {name} failed", target) from error


def _attribute(holder: object, name: str, target: str) -> object:
    try:
        return getattr(holder, name)
    except AttributeError:
        what = _described(holder) if isinstance(holder, ModuleType) else f"a {type(holder).__name__}"
        close = _did_you_mean(name, (known for known in dir(holder) if not known.startswith("_")))
        raise Refusal(f"{target} cannot be found: {what} has no attribute {name}.{close}") from None


def _described(module: ModuleType) -> str:
    """With its file: it may be another module of that name than was meant, such as Python's own `site`."""
    return f"module {module.__name__} ({getattr(module, '__file__', None) or 'built into Python'})"


def _call(factory: Callable[[], object], target: str) -> object:
    if not callable(factory):
        raise Refusal(f"{target} cannot be called: it is of type {type(factory).__name__}. Leave out the ().")
    try:
        inspect.signature(factory).bind()
    except TypeError as error:
        raise Refusal(f"{target} cannot be called without arguments: {error}. Write a function that can.") from None
    except ValueError:
        pass  # its signature cannot be known: try
    try:
        return factory()
    except Exception as error:  # whatever the factory raises is shown to who started it
        raise _failed(f"{target} failed", target) from error


def _failed(what: str, target: str) -> Refusal:
    return Refusal(f"{target} cannot be used: {what}, as shown above. Mend it and start again.", exit_code=FAILED)


def _why_not(app: Callable[..., object]) -> str | None:
    """What is against calling it with (environ, start_response), if anything."""
    try:
        signature = inspect.signature(app)
        signature.bind({}, None)
    except TypeError:
        return "it cannot be called with (environ, start_response)"
    except ValueError:
        return None  # its signature cannot be known
    # An app can do nothing without start_response, and has no default for it. A factory whose arguments are all
    # optional would pass for one, be given the environ as its config, and fail in each request.
    for it in [*signature.parameters.values()][1:2]:
        if it.default is not it.empty and "start" not in it.name and it.kind in _IN_PLACE:
            return f"start_response would be its optional argument {it.name}"
    return None


def _modules_beside(name: str) -> list[str]:
    folder = Path(*name.split(".")[:-1])
    return [path.stem for path in folder.glob("*") if path.suffix == ".py" or (path / "__init__.py").exists()]


def _did_you_mean(name: str, known: Iterable[str]) -> str:
    close = get_close_matches(name, known, n=3)
    return f" Did you mean {' or '.join(close)}?" if close else ""


def _not_a_target(target: str, option: str) -> str:
    path, _, attribute = target.partition(":")
    if path.endswith(".py") or "/" in path:
        module = path.removesuffix(".py").strip("./").replace("/", ".")
        usual = "room" if option else "app"
        return f"{option}{target} names a file. Name the module: {module}:{attribute or usual}."
    if "(" in attribute and not attribute.endswith("()"):
        return f"{option}{target} cannot be called with arguments here. Write a function without any, and name that."
    if option:
        return f"{option}{target} is not the name of a room: give module:attribute, such as tasks:room."
    return f"{target} is not the name of an app: give module:attribute, such as app:app or pkg.web:create_app()."
