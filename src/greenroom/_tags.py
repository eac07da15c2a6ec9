"""A tag: the name under which a value is stored that JSON has no word for, `{"$t": "uuid", "v": "..."}`.

Here are the tags of single values, and the refusals of those that can have none.
"""

from __future__ import annotations

import reprlib
import sys
from base64 import b64decode, b64encode
from collections.abc import Callable
from dataclasses import is_dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, Flag
from functools import partial
from math import isfinite
from types import NoneType
from typing import Any
from uuid import UUID

TAG = "$t"
_TOO_LONG = 10**4_300  # Python's own limit for reading an int from text
_MICROSECOND = timedelta(microseconds=1)
_NOT_FINITE = "JSON has neither NaN nor infinity", "Pass None or a str in its place"
_SHOWN = 80
_PATH_HEAD, _PATH_TAIL = 120, 60

Kinds = type | tuple[type, ...]


class _Repr(reprlib.Repr):
    repr_bytes = repr_bytearray = reprlib.Repr.repr_str  # looks at the ends only, however many bytes there are


_REPR = _Repr()
_REPR.maxstring = _REPR.maxlong = _REPR.maxother = _SHOWN
_REPR.maxlevel = 3


class Refused(Exception):
    """Why a value cannot be stored, and what to do; `path` grows as it leaves container after container."""

    def __init__(self, value: object, reason: str, remedy: str) -> None:
        super().__init__(f"{full_name(type(value))} {shown(value)} cannot be stored: {reason}. {remedy}.")
        self.path = ""

    def message(self, root: str) -> str:
        """All of it, with the way to the value from `root`."""
        path = root + self.path
        if len(path) > _PATH_HEAD + _PATH_TAIL:
            path = f"{path[:_PATH_HEAD]}...{path[-_PATH_TAIL:]}"
        return f"{path}: {self}"


def tagged(tag: str, stored: object) -> dict[str, object]:
    """What is written for a value."""
    return {TAG: tag, "v": stored}


def pack_text(text: str) -> str:
    """The text itself, if it can be stored."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        reason = f"it has a lone surrogate at index {error.start}, which UTF-8 cannot hold"
        remedy = "Clean it with .encode(errors='replace').decode(), or pass os.fsencode(...) of a file's name"
        raise Refused(text, reason, remedy) from None
    return text


def pack_bytes(octets: bytes) -> object:
    """The bytes in base64."""
    return tagged("bytes", b64encode(octets).decode())


def pack_member(tag: str, member: Enum) -> object:
    """An Enum by its member's name, a Flag by its value: any mixture of flags has one."""
    if isinstance(member, Flag):
        return tagged(tag, _pack_int(member.value))
    if type(member).__members__.get(member.name) is not member:
        raise Refused(member, "it is not among its class's members", "Pass its value")
    return tagged(tag, pack_text(member.name))


def member_builder(cls: type[Enum]) -> tuple[Kinds, Callable[[Any], object]]:
    """What makes a member of what `pack_member` wrote."""
    return (int, cls) if issubclass(cls, Flag) else (str, cls.__members__.__getitem__)


def _as_is(value: object) -> object:
    return value


def _pack_int(number: int) -> int:
    if -_TOO_LONG < number < _TOO_LONG:
        return number
    raise Refused(number, "it has over 4,300 digits, which Python will not read back", "Pass hex(number)")


def _pack_float(number: float) -> float:
    if isfinite(number):
        return number
    raise Refused(number, *_NOT_FINITE)


def _pack_decimal(number: Decimal) -> object:
    if number.is_finite():
        return tagged("decimal", str(number))
    raise Refused(number, *_NOT_FINITE)


def _pack_clock(tag: str, value: datetime | time) -> object:
    zone = value.tzinfo
    if not value.fold and (zone is None or zone is UTC or _says_it_all(zone)):
        return tagged(tag, value.isoformat())
    stored: object = None
    if key := _key_of(zone):
        stored = pack_text(key)
    elif type(zone) is timezone:
        stored = [zone.utcoffset(None) // _MICROSECOND, pack_text(zone.tzname(None))]
    elif zone is not None:
        reason = f"its time zone is {shown(zone)}, which has no key to be found by again"
        raise Refused(value, reason, "Convert it with .astimezone() to UTC or to a zoneinfo.ZoneInfo")
    return tagged(tag, [value.replace(tzinfo=None, fold=0).isoformat(), value.fold, stored])


def _key_of(zone: Any) -> str | None:
    zoneinfo = sys.modules.get("zoneinfo")  # if nobody has loaded it, this is none of its zones
    return zone.key if zoneinfo is not None and type(zone) is zoneinfo.ZoneInfo else None


def _says_it_all(zone: object) -> bool:
    """Whether isoformat leaves nothing out: it writes an offset, but not what a timezone may be called."""
    if type(zone) is not timezone:
        return False
    offset = zone.utcoffset(None)
    # fromisoformat takes an offset of less than a second for UTC.
    return not offset.microseconds and zone.tzname(None) == timezone(offset).tzname(None)


def _build_clock(cls: type[datetime | time], stored: str | list[Any]) -> object:
    if isinstance(stored, str):
        return cls.fromisoformat(stored)
    text, fold, zone = stored
    if isinstance(zone, str):
        from zoneinfo import ZoneInfo  # here, for it takes 300 KB: for those who use it

        zone = ZoneInfo(zone)
    elif zone is not None:
        offset, name = zone
        zone = timezone(timedelta(microseconds=offset), name)
    return cls.fromisoformat(text).replace(fold=fold, tzinfo=zone)


SCALARS: dict[type, Callable[[Any], object]] = {
    NoneType: _as_is,
    bool: _as_is,
    int: _pack_int,
    float: _pack_float,
    str: pack_text,
    datetime: partial(_pack_clock, "datetime"),
    date: lambda day: tagged("date", day.isoformat()),
    time: partial(_pack_clock, "time"),
    timedelta: lambda span: tagged("timedelta", span // _MICROSECOND),
    Decimal: _pack_decimal,
    UUID: lambda uuid: tagged("uuid", str(uuid)),
}

# What a tag's value must be in JSON, and what makes the value of it. Looked up now, so that whoever replaces
# datetime.datetime later on, as time-freezing test tools do, does not change what is read.
BUILDERS: dict[str, tuple[Kinds, Callable[[Any], object]]] = {
    "tuple": (list, tuple),
    "set": (list, set),
    "frozenset": (list, frozenset),
    "dict": (list, dict),
    "bytes": (str, partial(b64decode, validate=True)),
    "datetime": ((str, list), partial(_build_clock, datetime)),
    "date": (str, date.fromisoformat),
    "time": ((str, list), partial(_build_clock, time)),
    "timedelta": (int, lambda microseconds: timedelta(microseconds=microseconds)),
    "decimal": (str, Decimal),
    "uuid": (str, UUID),
}

_COPIED = str, bytes, int, float, list, dict, tuple, set, frozenset, Decimal
_PLAIN = datetime, date, time, timedelta, UUID
BASES = _COPIED + _PLAIN


def why_not(kind: type) -> tuple[str, str]:
    """The reason and the remedy for a type that cannot be stored."""
    # Never isinstance of a value: a proxy's __class__ is the app's own code, and may raise.
    if issubclass(kind, Enum) or is_dataclass(kind):
        return "its class is not registered", f"Register it with room.register({kind.__qualname__})"
    if issubclass(kind, bytearray | memoryview):
        return "it would come back as bytes", "Pass bytes(...) of it"
    for base in BASES:
        if issubclass(kind, base):
            name = full_name(base)
            remedy = f"Pass {name}(...) of it" if base in _COPIED else f"Pass a plain {name}"
            return f"it would come back as a plain {name}, of which its class is a subclass", remedy
    return "only plain data can be", "Pass its id, or its plain values, and look the rest up in the task"


def over(max_payload: int, size: str) -> tuple[str, str]:
    """The reason and the remedy for what takes too many bytes."""
    reason = f"the text takes {size} bytes, and max_payload is {max_payload:,}"
    return reason, "Keep the data elsewhere, in a file or a table, and pass its key, or raise max_payload"


def full_name(cls: type) -> str:
    """The class's name with its module, but for the built-in ones."""
    return cls.__qualname__ if cls.__module__ == "builtins" else f"{cls.__module__}.{cls.__qualname__}"


def shown(value: object) -> str:
    """A repr on one line, of at most 80 characters, that never raises."""
    try:
        text = _REPR.repr(value)
    except Exception as error:  # noqa: BLE001 - a repr is the app's own code, and may raise anything
        text = f"<its repr raises {type(error).__name__}>"
    if not text.isprintable():
        text = text.encode("unicode_escape").decode()
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."
