"""A codec: a call's arguments, or a result, as JSON text and back, with nothing changed on the way.

What JSON has no word for is an object with a tag: `{"$t": "uuid", "v": "..."}`. A value's type is looked up
exactly, never by isinstance: a subclass of `str` that came back as a plain `str` would be a change in silence.
"""

from __future__ import annotations

import json
import reprlib
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, Flag
from functools import partial
from inspect import signature
from json.encoder import c_make_encoder, encode_basestring  # type: ignore[attr-defined]
from math import isfinite
from types import NoneType
from typing import Any, NoReturn, TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

from greenroom.errors import InvalidOption, InvalidPayload

T = TypeVar("T")
Where = Callable[[object], str]

_MAX_DEPTH = 100
_TAG = "$t"
_TAG_IN_TEXT = '"$t"'
_TOO_LONG = 10**4_300  # Python's own limit for reading an int from text
_MICROSECOND = timedelta(microseconds=1)


class Codec:
    """Turns values into text and back; `max_payload` is in bytes of UTF-8.

    Whatever would not come back as it was raises InvalidPayload, and so does text that cannot be read.
    """

    def __init__(self, *, max_payload: int = 1_000_000) -> None:
        if max_payload <= 0:
            raise InvalidOption(f"max_payload={max_payload!r} leaves no room: use a number of bytes above 0.")
        self._max_payload = max_payload
        self._names: dict[type, str] = {}
        self._scalars = dict(_SCALARS)
        self._containers: dict[type, Callable[[Any, int, list[int]], object]] = {
            list: self._pack_list,
            dict: self._pack_dict,
            tuple: partial(self._pack_group, "tuple", _at_index),
            set: partial(self._pack_group, "set", _at_member),
            frozenset: partial(self._pack_group, "frozenset", _at_member),
        }
        self._builders = dict(_BUILDERS)
        self._plain = json.JSONDecoder(parse_constant=_refuse_constant)
        self._tagged = json.JSONDecoder(parse_constant=_refuse_constant, object_hook=self._build)

    def register(self, cls: type[T], *, name: str | None = None) -> type[T]:
        """Let an Enum, or a dataclass, be stored under its full name; usable as a decorator.

        `name` is for a class that has moved: what it was stored under. A dataclass is stored as its init fields
        and rebuilt by its constructor, an Enum by its member's name, a Flag by its value.
        """
        if not (isinstance(cls, type) and (issubclass(cls, Enum) or is_dataclass(cls))):
            raise InvalidPayload(
                f"{_shown(cls)} cannot be registered: it is neither an Enum nor a dataclass. "
                "Register one of these; as a decorator, put register above @dataclass."
            )
        tag = name or _full_name(cls)
        if self._names.get(cls) == tag:
            return cls
        if cls in self._names or tag in self._builders or not tag.isprintable():
            raise InvalidPayload(
                f"{_full_name(cls)} cannot be registered as {_shown(tag)}: a class has one printable name, "
                "of its own. Choose another with register(cls, name=...)."
            )
        if issubclass(cls, Flag):
            self._scalars[cls], self._builders[tag] = partial(_pack_flag, tag), (int, cls)
        elif issubclass(cls, Enum):
            self._scalars[cls], self._builders[tag] = partial(_pack_member, tag), (str, cls.__members__.__getitem__)
        else:
            names = _init_fields(cls)
            self._containers[cls] = partial(self._pack_fields, tag, names)
            self._builders[tag] = dict, lambda stored: cls(**stored)
        self._names[cls] = tag
        return cls

    def encode_call(self, args: tuple[object, ...], kwargs: Mapping[str, object]) -> str:
        """The arguments of a call as text."""
        left = [self._max_payload]
        packed = self._pack_root("args", list(args), 0, left), self._pack_root("kwargs", dict(kwargs), 0, left)
        return self._write(packed, "args and kwargs")

    def decode_call(self, text: str) -> tuple[tuple[object, ...], dict[str, object]]:
        """What `encode_call` was given."""
        match self.decode(text):
            case [list(args), dict(kwargs)] if all(isinstance(key, str) for key in kwargs):
                return tuple(args), kwargs
        raise InvalidPayload("Cannot read a call: its text is not a list of arguments and a dict of named ones.")

    def encode(self, value: object, *, root: str = "value") -> str:
        """One value as text; `root` is what errors call it."""
        return self._write(self._pack_root(root, value, 1, [self._max_payload]), root)

    def decode(self, text: str) -> object:
        """What `encode` was given."""
        decoder = self._tagged if _TAG_IN_TEXT in text else self._plain
        try:
            value, end = decoder.raw_decode(text)
        except InvalidPayload:
            raise
        except (ValueError, RecursionError) as error:
            raise InvalidPayload(f"Cannot read a payload: {error}.") from error
        if end != len(text):
            raise InvalidPayload(f"Cannot read a payload: it ends at character {end}, and its text goes on.")
        return value
