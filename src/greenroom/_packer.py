"""A packer: walks a value and leaves only what JSON has, with tags for the rest.

A value's type is looked up exactly, never by isinstance: a subclass of `str` that came back as a plain `str`
would be a silent change. What needs no tag is not copied.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from enum import Enum
from functools import partial
from typing import Any

from greenroom._tags import (
    SCALARS,
    TAG,
    Refused,
    over,
    pack_bytes,
    pack_member,
    pack_text,
    shown,
    tagged,
    why_not,
)
from greenroom.errors import InvalidPayload

_MAX_DEPTH = 100

Where = Callable[[Any], str]


def _at_index(index: int) -> str:
    return f"[{index}]"


def _at_key(key: object) -> str:
    return f"[{shown(key)}]"


def _at_field(name: str) -> str:
    return f".{name}"


def _at_member(_: int) -> str:
    return "{...}"  # a set has no order to count in


class Packer:
    """Packs what it has been told of, and refuses the rest with the path to it."""

    # Each container takes `left`, a list of one number: the bytes still to spend. Without it a few lists that
    # hold each other many times over, small until they are written, would keep the process busy for hours.

    def __init__(self, max_payload: int) -> None:
        self._max_payload = max_payload
        self._scalars = dict(SCALARS)
        self._containers: dict[type, Callable[[Any, int, list[int]], object]] = {
            bytes: self._bytes,
            list: self._list,
            dict: self._dict,
            tuple: partial(self._group, "tuple", _at_index),
            set: partial(self._group, "set", _at_member),
            frozenset: partial(self._group, "frozenset", _at_member),
        }

    def add_enum(self, cls: type[Enum], tag: str) -> None:
        """Pack the class's members under `tag`."""
        self._scalars[cls] = partial(pack_member, tag)

    def add_dataclass(self, cls: type, tag: str, names: list[str]) -> None:
        """Pack these fields of the class's instances under `tag`."""
        self._containers[cls] = partial(self._fields, tag, names)

    def pack(self, value: object, root: str) -> object:
        """The value as JSON has it; errors name a path that begins with `root`."""
        try:
            return self._pack(value, 1, [self._max_payload])
        except Refused as refused:
            raise InvalidPayload(refused.message(root)) from None

    def pack_call(self, args: tuple[object, ...], kwargs: Mapping[str, object]) -> list[object]:
        """The arguments as JSON has them; errors name a path that begins with `args` or `kwargs`."""
        root, left = "args", [self._max_payload]
        try:
            packed_args = self._list(list(args), 1, left)
            root = "kwargs"
            return [packed_args, self._dict(dict(kwargs), 1, left)]
        except Refused as refused:
            raise InvalidPayload(refused.message(root)) from None

    def _pack(self, value: object, depth: int, left: list[int]) -> object:
        scalar = self._scalars.get(type(value))
        if scalar is not None:
            return scalar(value)
        container = self._containers.get(type(value))
        if container is None:
            raise Refused(value, *why_not(type(value)))
        if depth > _MAX_DEPTH:
            raise Refused(value, f"it is over {_MAX_DEPTH} deep, or holds itself", "Pass it flat, or pass its id")
        return container(value, depth + 1, left)

    def _list(self, values: list[object], depth: int, left: list[int], where: Where = _at_index) -> list[object]:
        packed, index, spent = values, 0, 1 + len(values)
        if spent > left[0]:
            self._spend(spent, values, left)
        try:
            for index, value in enumerate(values):
                if type(value) is str:
                    spent += len(value)
                    if value.isascii():
                        continue
                new = self._pack(value, depth, left)
                if new is not value:
                    packed = values.copy() if packed is values else packed
                    packed[index] = new
        except Refused as refused:
            refused.path = where(index) + refused.path
            raise
        self._spend(spent, values, left)
        return packed

    def _group(self, tag: str, where: Where, values: Collection[object], depth: int, left: list[int]) -> object:
        return tagged(tag, self._list(list(values), depth, left, where))

    def _dict(self, values: dict[Any, object], depth: int, left: list[int], where: Where = _at_key) -> object:
        for key in values:
            if type(key) is not str or key == TAG:
                return self._pairs(values, depth, left)
        packed, key, spent = values, "", 1 + len(values)
        if spent > left[0]:
            self._spend(spent, values, left)
        try:
            for key, value in values.items():
                if not key.isascii():
                    pack_text(key)
                if type(value) is str:
                    spent += len(value)
                    if value.isascii():
                        continue
                new = self._pack(value, depth, left)
                if new is not value:
                    packed = values.copy() if packed is values else packed
                    packed[key] = new
        except Refused as refused:
            refused.path = where(key) + refused.path
            raise
        self._spend(spent, values, left)
        return packed

    def _pairs(self, values: dict[object, object], depth: int, left: list[int]) -> object:
        keys = list(values)

        def where(index: int) -> str:
            return _at_key(keys[index])

        packed_keys = self._list(keys, depth, left, where)
        packed_values = self._list(list(values.values()), depth, left, where)
        return tagged("dict", list(zip(packed_keys, packed_values, strict=True)))

    def _fields(self, tag: str, names: list[str], value: object, depth: int, left: list[int]) -> object:
        try:
            held = {name: getattr(value, name) for name in names}
        except AttributeError as error:
            raise Refused(value, f"it lacks a field ({error})", "Set all its fields first") from None
        return tagged(tag, self._dict(held, depth, left, _at_field))

    def _bytes(self, octets: bytes, _: int, left: list[int]) -> object:
        self._spend(len(octets), octets, left)
        return pack_bytes(octets)

    def _spend(self, least: int, value: object, left: list[int]) -> None:
        left[0] -= least
        if left[0] < 0:
            raise Refused(value, *over(self._max_payload, f"over {self._max_payload - left[0]:,}"))
