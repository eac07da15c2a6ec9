"""Parcels: what is the app's own, and goes to a process or comes from one: arguments, results, exceptions."""

from __future__ import annotations

import pickle
from typing import Any

from greenroom.errors import InvalidPayload, TaskProcessError
from greenroom.lanes._messages import PROTOCOL, Raised, Returned
from greenroom.lanes.base import Errand


class _ChildTraceback(Exception):
    """Shows the traceback of a child process where that of a cause is shown."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __str__(self) -> str:
        return f"\n{self.text}"


def packed(errand: Errand) -> bytes:
    """The arguments as they travel. Raises InvalidPayload, with which of them it is."""
    try:
        return pickle.dumps((errand.args, errand.kwargs), PROTOCOL)
    except Exception as error:  # noqa: BLE001  (a __reduce__ of the app's own may raise anything)
        named = [(f"args[{n}]", value) for n, value in enumerate(errand.args)]
        named += [(f"kwargs[{name!r}]", value) for name, value in errand.kwargs.items()]
        where = next((name for name, value in named if pickled(value) is None), "args")
        raise InvalidPayload(
            f"{where} of task {errand.task.name} cannot be sent to a process: {type(error).__name__}: {error}. "
            "Give it what pickles, or another lane."
        ) from None


def unpacked(answer: Returned | Raised, errand: Errand) -> Any:
    if type(answer) is Returned:
        try:
            return pickle.loads(answer.value)  # noqa: S301  (of our own process)
        except Exception as error:  # noqa: BLE001  (as above)
            raise InvalidPayload(
                f"result of task {errand.task.name} cannot be read back from its process: "
                f"{type(error).__name__}: {error}. Return what both can import."
            ) from None
    raise _raised(answer)  # type: ignore[arg-type]


def _raised(answer: Raised) -> BaseException:
    error: BaseException | None = None
    if answer.error is not None:
        try:
            error = pickle.loads(answer.error)  # noqa: S301  (of our own process)
        except Exception:  # noqa: BLE001  (as above)
            error = None
    if not isinstance(error, BaseException):
        error = TaskProcessError(answer.path, answer.message)
    error.__cause__ = _ChildTraceback(answer.traceback)
    return error


def pickled(value: object) -> bytes | None:
    try:
        return pickle.dumps(value, PROTOCOL)
    except Exception:  # noqa: BLE001  (as above)
        return None
