"""What travels with a job from whoever enqueued it: a request id, and baggage of short strings; or the slot of a
schedule, if that is why it was enqueued."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextvars import ContextVar
from types import MappingProxyType
from typing import NamedTuple

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
    here, carried = json.loads(text)[:2]
    request_id.set(here)
    baggage.set(MappingProxyType(carried))


class Occasion(NamedTuple):
    """The slot, of the schedule of that name, for which a job was enqueued."""

    schedule: str
    slot: int


def of_occasion(occasion: Occasion) -> str:
    """What a job carries that was enqueued for a slot, and by nobody's request."""
    return json.dumps([None, {}, occasion])


def occasion_in(text: str | None) -> Occasion | None:
    """The slot for which a job was enqueued that carries this."""
    if text is None:
        return None
    rest = json.loads(text)[2:]
    return Occasion(*rest[0]) if rest else None
