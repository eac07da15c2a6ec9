"""What may be declared: each check names the thing, the reason and the remedy."""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from math import inf, isnan
from pathlib import Path, PurePath
from typing import Any, SupportsFloat

from greenroom.backoff import Backoff
from greenroom.errors import InvalidArguments, InvalidOption, InvalidTask

LONGEST_NAME = 200
LEAST_QUANTUM = 0.0005  # seconds
_NEVER = timedelta(days=365 * 100)
_SUCH_AS = {"retention": "timedelta(days=7)", "misfire_grace_time": "timedelta(hours=1)"}  # else half a minute
_CLOCKWORK = ("now", "monotonic", "watch")


def function(func: Any, *, takes_context: bool) -> None:
    """Refuse what could not be found again by its name, or would not do its work when called."""
    if not inspect.isfunction(func):
        raise InvalidTask(
            f"{func!r} cannot be a task: it is a {type(func).__name__}, not a function. Write a module-level def "
            "that calls it."
        )
    name = f"{func.__module__}.{func.__qualname__}"
    if "<lambda>" in func.__qualname__:
        raise InvalidTask(
            f"{name} cannot be a task: a lambda has no name to find it by after a restart. Make it a module-level "
            "def."
        )
    if "<locals>" in func.__qualname__:
        raise InvalidTask(
            f"{name} cannot be a task: it is local to a function, and after a restart nobody could find it. Move it "
            "to module level."
        )
    if inspect.iscoroutinefunction(func) or inspect.isgeneratorfunction(func) or inspect.isasyncgenfunction(func):
        raise InvalidTask(
            f"{name} cannot be a task: calling it only makes a coroutine or generator, and runs nothing. Use a plain "
            "def; under gevent it waits without blocking."
        )
    if takes_context and not _begins_with_context(func):
        raise InvalidTask(
            f"{name} takes_context, so its first parameter must be called `context`, and be positional: "
            f"def {func.__name__}(context, ...)."
        )


def importable(func: Callable[..., Any]) -> None:
    """Refuse what a child process could not find: more is known when it looks."""
    main = sys.modules.get("__main__")
    path = getattr(main, "__file__", None)
    if func.__module__ == "__main__" and not getattr(main, "__spec__", None) and not (path and Path(path).is_file()):
        raise InvalidTask(
            f"__main__.{func.__qualname__} cannot run in lane 'process': a child process could not import it, for "
            "what was typed or piped into Python is in no file. Move it into a module."
        )


def _begins_with_context(func: Callable[..., Any]) -> bool:
    first = next(iter(inspect.signature(func).parameters.values()), None)
    return (
        first is not None
        and first.name == "context"
        and first.kind in (first.POSITIONAL_ONLY, first.POSITIONAL_OR_KEYWORD)
    )


def arguments(func: Callable[..., Any], name: str, *, takes_context: bool) -> Callable[..., object]:
    """Make a fast check of arguments: an empty function of the same signature, to be called with them.

    `inspect.Signature.bind` would cost 3 us a call, and this 0.1.
    """
    parameters = list(inspect.signature(func).parameters.values())[1 if takes_context else 0 :]
    bare = [
        parameter.replace(
            annotation=parameter.empty,
            default=parameter.empty if parameter.default is parameter.empty else None,
        )
        for parameter in parameters
    ]
    source = f"lambda {str(inspect.Signature(bare))[1:-1]}: None"
    accept: Callable[..., object] = eval(source, {})  # noqa: S307  (built of parameter names alone)
    accept.__qualname__ = accept.__name__ = name
    return accept


def fit(accept: Callable[..., object], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """Refuse arguments that the function could not be called with."""
    try:
        accept(*args, **kwargs)
    except TypeError as error:
        raise InvalidArguments(f"task {error}. Enqueue it with the arguments that the function takes.") from None


def url(value: object) -> None:
    """The place where jobs live; what other extensions are made with, an app, is refused."""
    if isinstance(value, PurePath):
        raise InvalidOption(f"Greenroom({value!r}): a path is not a URL. Write Greenroom('sqlite:///{value}').")
    if not isinstance(value, str):
        raise InvalidOption(
            f"Greenroom({value!r}): Greenroom() takes the place where jobs live, such as 'sqlite:///greenroom.db', "
            f"and needs no app; this is a {type(value).__name__}. Write Greenroom() or Greenroom('sqlite:///FILE')."
        )


def sizes(value: object) -> None:
    """Sizes by the names of lanes."""
    if not isinstance(value, Mapping):
        raise InvalidOption(f"lanes={value!r} is not a dict of sizes by lane: write lanes={{'process': 4}}.")


def clock(value: object) -> None:
    if isinstance(value, type) or not all(callable(getattr(value, verb, None)) for verb in _CLOCKWORK):
        raise InvalidOption(f"clock={value!r} is not a clock: use SystemClock(), or ManualClock() in tests.")


def name(kind: str, value: object) -> None:
    if not isinstance(value, str) or not value or len(value) > LONGEST_NAME or not value.isprintable():
        raise InvalidOption(
            f"{kind}={value!r} is not a name: use 1 to {LONGEST_NAME} printable characters, such as {kind}='mail'."
        )


def path(kind: str, value: object) -> None:
    if not isinstance(value, str | os.PathLike):
        raise InvalidOption(f"{kind}={value!r} is not a path: use a str or a Path, such as 'monday.db'.")


def no_task(value: object) -> InvalidTask:
    return InvalidTask(
        f"{value!r} is not a task, and cannot be enqueued: declare its function with @room.task, and write "
        "task.enqueue(1, b=2)."
    )


def patience(kind: str, value: object) -> None:
    """For how many seconds to wait, or None for ever; less than nothing is a look."""
    if value is not None and not _is_number(value):
        raise InvalidOption(
            f"{kind}={value!r} is not a number of seconds: use one, such as {kind}=5, or None to wait for ever."
        )


def drain(value: object) -> None:
    if not _is_number(value) or value < 0:  # type: ignore[operator]
        raise InvalidOption(f"drain={value!r} is not a number of seconds, 0 or more: use one, such as drain=30.")


def _is_number(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, SupportsFloat):
        return False
    try:
        return not isnan(float(value))
    except OverflowError:
        return False


def no_function(verb: str, value: object, *, such: str) -> InvalidArguments:
    """What is told who gave what a call has returned already, in the place of the function."""
    return InvalidArguments(
        f"room.{verb}() cannot call {value!r}: it is of type {type(value).__name__}. {verb} takes the function and "
        f"its arguments apart: {such}."
    )


def text(kind: str, value: object, *, such: str) -> None:
    if not isinstance(value, str):
        raise InvalidOption(f"{kind}={value!r} is of type {type(value).__name__}, and not a str: use {such}.")


def names(kind: str, value: Iterable[str]) -> tuple[str, ...]:
    """Several names; one alone is refused, for its letters would be taken for names."""
    if isinstance(value, str):
        raise InvalidOption(f"{kind}={value!r} is one str, and not several: write {kind}=[{value!r}].")
    if not isinstance(value, Iterable):
        raise InvalidOption(f"{kind}={value!r} is not several names: write {kind}=['old.name'].")
    several = tuple(value)
    for each in several:
        name(kind, each)
    return several


def whole(kind: str, value: object, least: int, most: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise InvalidOption(f"{kind}={value!r} is out of range: use a whole number from {least} to {most}.")


def choice(kind: str, value: object, among: tuple[str, ...]) -> None:
    if value not in among:
        raise InvalidOption(f"{kind}={value!r} is not known: use {' or '.join(map(repr, among))}.")


def flag(kind: str, value: object) -> None:
    if not isinstance(value, bool):
        raise InvalidOption(f"{kind}={value!r} is neither True nor False.")


def span(kind: str, value: object) -> None:
    """A length of time: more than nothing, less than a century."""
    if not isinstance(value, timedelta):
        remedy = _SUCH_AS.get(kind, "timedelta(seconds=30)")  # it will be copied: one that suits the option
        raise InvalidOption(f"{kind}={value!r} is not a timedelta: write {kind}={remedy}.")
    if not timedelta() < value < _NEVER:
        raise InvalidOption(f"{kind}={value!r} is out of range: use more than nothing and less than 100 years.")


def when(kind: str, value: object) -> None:
    """A moment, or a delay: an aware datetime, a timedelta or seconds."""
    if isinstance(value, datetime):
        if value.tzinfo is None or value.utcoffset() is None:
            raise InvalidOption(
                f"{kind}={value!r} is naive, and means another moment in each time zone. Give it one: "
                "datetime.now(UTC) or value.replace(tzinfo=ZoneInfo('Europe/Berlin'))."
            )
        return
    if isinstance(value, int | float) and not isinstance(value, bool):
        if not 0 <= value < _NEVER.total_seconds():  # NaN too
            raise InvalidOption(f"{kind}={value!r} is out of range: use 0 or more seconds, less than 100 years.")
        return
    if isinstance(value, timedelta):
        if not timedelta() <= value < _NEVER:
            raise InvalidOption(f"{kind}={value!r} is out of range: a delay is not negative, nor over 100 years.")
        return
    raise InvalidOption(f"{kind}={value!r} is not a moment: use an aware datetime, a timedelta or seconds.")


def lane(value: Any, lanes: Iterable[str], task: str) -> str:
    """One of these lanes."""
    if not isinstance(value, str) or value not in lanes:
        known = ", ".join(map(repr, lanes))
        raise InvalidTask(f"{task} cannot run in lane {value!r}: there is none. Use one of {known}.")
    return value


def backoff(value: object) -> None:
    if not isinstance(value, Backoff):
        raise InvalidOption(f"backoff={value!r} is not a backoff: use constant(), linear() or exponential().")


def exceptions(kind: str, value: object) -> None:
    if not isinstance(value, tuple) or not all(
        isinstance(it, type) and issubclass(it, BaseException) for it in value
    ):
        raise InvalidOption(f"{kind}={value!r} is not a tuple of exception classes, such as {kind}=(OSError,).")


def length(kind: str, value: object) -> timedelta | None:
    """A timedelta, or seconds, as a timedelta; None for no limit."""
    if value is None:
        return None
    if isinstance(value, int | float) and not isinstance(value, bool):
        if not 0 < value < _NEVER.total_seconds():
            raise InvalidOption(f"{kind}={value!r} is out of range: use more than 0 seconds, or None for no limit.")
        return timedelta(seconds=value)
    span(kind, value)
    return value  # type: ignore[return-value]


def quantum(value: object) -> float:
    """The time that a task may compute without a break, in seconds."""
    if isinstance(value, timedelta):
        value = value.total_seconds()
    if isinstance(value, bool) or not isinstance(value, int | float) or not LEAST_QUANTUM <= value <= 1:
        raise InvalidOption(
            f"quantum={value!r} is out of range: use {LEAST_QUANTUM} to 1 seconds. Below that more time would go "
            "into switching than into tasks; preempt=False turns pre-emption off."
        )
    return float(value)


def positive(kind: str, value: object) -> None:
    """A number greater than 0, or None."""
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < inf:
        raise InvalidOption(f"{kind}={value!r} is out of range: use a number greater than 0, or None.")
