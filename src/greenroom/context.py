"""What travels with a job from whoever enqueued it: a request id, and baggage of short strings."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextvars import ContextVar
from types import MappingProxyType

_NOTHING: Mapping[str, str] = MappingProxyType({})

request_id: ContextVar[str | None] = ContextVar("greenroom_request_id", default=None)
baggage: ContextVar[Mapping[str, str]] = ContextVar("greenroom_baggage", default=_NOTHING)


def capture() -> str | None:
    """What is set here and now, as text to store with a job; None if nothing is."""
    here, carried = request_id.get(), baggage.get()
    if here is None and not carried:
        return None
    return json.dumps([here, dict(carried)])


def restore(text: str) -> None:
    """Set what `capture` took, in the current context."""
    here, carried = json.loads(text)
    request_id.set(here)
    baggage.set(MappingProxyType(carried))
