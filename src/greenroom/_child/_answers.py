"""Answers: what a function returned or raised, as it travels to the parent."""

from __future__ import annotations

import pickle

from greenroom import _attempt
from greenroom.errors import InvalidPayload
from greenroom.lanes._inside import MAIN
from greenroom.lanes._messages import PROTOCOL, Order, Raised, Returned


def returned(value: object, order: Order) -> Returned | Raised:
    """The result, or the error that it does not serialise."""
    try:
        return Returned(pickle.dumps(value, PROTOCOL))
    except Exception as error:  # noqa: BLE001  (a __reduce__ of the app's own may raise anything)
        return raised(
            InvalidPayload(
                f"result of task {order.task} does not serialise, and cannot leave its process: "
                f"{type(error).__name__}: {error}. Return what pickles, or use another lane."
            )
        )


def raised(error: BaseException) -> Raised:
    """The error, or what is known of it if it cannot be sent."""
    kind = type(error)
    path = f"{kind.__module__}.{kind.__qualname__}".replace(f"{MAIN}.", "__main__.", 1)
    return Raised(_pickled(error), path, _attempt.text_of(error), _attempt.trace_of(error))


def _pickled(error: BaseException) -> bytes | None:
    """Only if it can be read again: many an exception with an __init__ of its own cannot."""
    try:
        data = pickle.dumps(error, PROTOCOL)
        return data if type(pickle.loads(data)) is type(error) else None  # noqa: S301  (just written)
    except Exception:  # noqa: BLE001  (whatever its __reduce__ or __init__ raises)
        return None
