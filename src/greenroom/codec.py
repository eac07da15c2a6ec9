"""A codec: a call's arguments, or a result, as JSON text and back, with nothing changed on the way."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from inspect import signature
from json.encoder import c_make_encoder, encode_basestring  # type: ignore[attr-defined]
from typing import TypeVar

from greenroom._packer import Packer
from greenroom._tags import BASES, BUILDERS, TAG, full_name, member_builder, over, shown
from greenroom.errors import InvalidOption, InvalidPayload

T = TypeVar("T")

_TAG_IN_TEXT = f'"{TAG}"'
_TAGGED = {TAG, "v"}
_NULL = "null"
_SHORT, _SMALL = 10_000, 1 << 63


class Codec:
    """Turns values into text and back; `max_payload` is in bytes of UTF-8.

    What would not come back as it was raises InvalidPayload, and so does text that cannot be read.
    """

    def __init__(self, *, max_payload: int = 1_000_000) -> None:
        if isinstance(max_payload, bool) or not isinstance(max_payload, int):
            raise InvalidOption(f"max_payload={max_payload!r} is not a whole number of bytes: use 1_000_000, say.")
        if max_payload <= 0:
            raise InvalidOption(f"max_payload={max_payload!r} leaves no room: use a number of bytes above 0.")
        self._max_payload = max_payload
        self._names: dict[type, str] = {}
        self._packer = Packer(max_payload)
        self._builders = dict(BUILDERS)
        self._plain = json.JSONDecoder(parse_constant=_refuse_constant)
        self._tagged = json.JSONDecoder(parse_constant=_refuse_constant, object_hook=self._build)

    def register(self, cls: type[T], *, name: str | None = None) -> type[T]:
        """Let an Enum, or a dataclass, be stored under its full name; usable as a decorator.

        A class that has moved gives as `name` what it was stored under. A dataclass is stored as its init
        fields and rebuilt by its constructor, an Enum by its member's name, a Flag by its value.
        """
        _check_storable(cls)
        if cls in self._names and name in (None, self._names[cls]):
            return cls
        tag = name or full_name(cls)
        if cls in self._names or tag in self._builders or not tag.isprintable():
            raise InvalidPayload(
                f"{full_name(cls)} cannot be registered as {shown(tag)}: a class has one printable name, and "
                "shares it with none. Choose another with register(cls, name=...)."
            )
        if issubclass(cls, Enum):
            self._packer.add_enum(cls, tag)
            self._builders[tag] = member_builder(cls)
        else:
            self._packer.add_dataclass(cls, tag, _init_fields(cls))
            self._builders[tag] = dict, lambda stored: cls(**stored)
        self._names[cls] = tag
        return cls

    def encode_call(self, args: tuple[object, ...], kwargs: Mapping[str, object]) -> str:
        """The arguments of a call as text."""
        if TAG not in kwargs and _are_plain(args) and _are_plain(kwargs.values()):
            text = _to_json([args, kwargs])
            if len(text) <= self._max_payload and text.isascii():  # else it may hold what UTF-8 cannot
                return text
        return self._write(self._packer.pack_call(args, kwargs), "args and kwargs")

    def decode_call(self, text: str) -> tuple[tuple[object, ...], dict[str, object]]:
        """What `encode_call` was given."""
        call = self.decode(text)
        if type(call) is list and len(call) == 2:  # noqa: PLR2004  (arguments by position, and by name)
            args, kwargs = call
            # Without a tag in it, the text is JSON, whose keys are all text.
            if type(args) is list and type(kwargs) is dict and (_TAG_IN_TEXT not in text or _has_names(kwargs)):
                return tuple(args), kwargs
        raise InvalidPayload("Cannot read a call: its text is not a list of arguments and a dict of named ones.")

    def encode(self, value: object, *, root: str = "value") -> str:
        """One value as text; errors call it `root`."""
        if value is None and self._max_payload >= len(_NULL):  # what most tasks return
            return _NULL
        return self._write(self._packer.pack(value, root), root)

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
            raise InvalidPayload(f"Cannot read a payload: its JSON ends at character {end}, but not its text.")
        return value

    def _write(self, packed: object, root: str) -> str:
        try:
            text = _to_json(packed)
        except ValueError as error:  # an int, where sys.set_int_max_str_digits allows fewer digits than usual
            raise InvalidPayload(f"{root} cannot be stored: {error}.") from error
        size = len(text) if text.isascii() else len(text.encode())
        if size > self._max_payload:
            reason, remedy = over(self._max_payload, f"{size:,}")
            raise InvalidPayload(f"{root} cannot be stored: {reason}. {remedy}.")
        return text

    def _build(self, found: dict[str, object]) -> object:
        if TAG not in found:
            return found
        tag = found[TAG]
        if not isinstance(tag, str) or found.keys() != _TAGGED:
            raise InvalidPayload(f"Cannot read a payload: {shown(found)} is not a tag and a value.")
        if tag not in self._builders:
            raise InvalidPayload(
                f"Cannot read a payload: nothing is registered as {shown(tag)}. Register the class that was, "
                "with room.register(cls), or if it has moved with register(cls, name=...)."
            )
        kinds, build = self._builders[tag]
        stored = found["v"]
        if not isinstance(stored, kinds):
            raise InvalidPayload(f"Cannot read a payload: {shown(tag)} cannot be made of {shown(stored)}.")
        try:
            return build(stored)
        except Exception as error:  # a constructor is the app's own code, and may raise anything
            raise InvalidPayload(
                f"Cannot read a payload: {shown(tag)} cannot be made of {shown(stored)}: {shown(error)}. "
                "A class must go on taking what was stored: keep its names, give what is new a default."
            ) from error


def _are_plain(values: Iterable[object]) -> bool:
    """Whether these are nothing but short texts, small numbers and the like: what most calls are made of."""
    for value in values:
        kind = type(value)
        if kind is str:
            if len(value) > _SHORT:  # type: ignore[arg-type]
                return False
        elif kind is int:
            if not -_SMALL < value < _SMALL:  # type: ignore[operator]
                return False
        elif value is not None and kind is not bool:
            return False
    return True


def _has_names(kwargs: dict[object, object]) -> bool:
    return all(isinstance(key, str) for key in kwargs)


def _check_storable(cls: object) -> None:
    if not (isinstance(cls, type) and (issubclass(cls, Enum) or is_dataclass(cls))):
        raise InvalidPayload(
            f"{shown(cls)} cannot be registered: it is neither an Enum nor a dataclass. "
            "Register one of those; as a decorator, write register above @dataclass."
        )


def _init_fields(cls: type) -> list[str]:
    """What a dataclass is stored as, if that is all it holds and enough for its constructor."""
    if any(issubclass(cls, base) for base in BASES):
        raise InvalidPayload(
            f"{full_name(cls)} cannot be registered: what it holds beside its fields would be lost, as it is "
            "a subclass of a built-in type. Make that another field."
        )
    names = [field.name for field in fields(cls) if field.init]
    try:
        signature(cls).bind(**dict.fromkeys(names))
    except TypeError as error:
        raise InvalidPayload(
            f"{full_name(cls)} cannot be registered: its constructor cannot be called with just its init "
            f"fields ({error}). Give what else it takes a default."
        ) from error
    return names


def _refuse_constant(name: str) -> None:
    raise InvalidPayload(f"Cannot read a payload: {name} is not JSON.")


def _json_writer() -> Callable[[object], str]:
    encoder = json.JSONEncoder(ensure_ascii=False, check_circular=False, allow_nan=False, separators=(",", ":"))
    if c_make_encoder is None:  # as on PyPy
        return encoder.encode
    # JSONEncoder.encode makes a writer for each call, which takes as long as the writing itself.
    write = c_make_encoder(
        markers=None,
        default=encoder.default,
        encoder=encode_basestring,
        indent=None,
        key_separator=":",
        item_separator=",",
        sort_keys=False,
        skipkeys=False,
        allow_nan=False,
    )
    return lambda value: "".join(write(value, 0))


_to_json = _json_writer()
