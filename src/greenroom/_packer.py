"""A packer: walks a value and leaves only what JSON has, with tags for the rest.

A value's type is looked up exactly, never by isinstance: a subclass of `str` that came back as a plain `str`
would be a silent change. What needs no tag is not copied.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from enum import Enum
from functools import partial
from typing import Any

from greenroom._tags import SCALARS, TAG, Refused, over, pack_member, pack_text, shown, tagged, why_not
from greenroom.errors import InvalidPayload

_MAX_DEPTH = 100

Where = Callable[[object], str]


def _at_index(index: object) -> str:
    return f"[{index}]"


def _at_key(key: object) -> str:
    return f"[{shown(key)}]"


def _at_field(name: object) -> str:
    return f".{name}"


def _at_member(_: object) -> str:
    return "{...}"  # a set has no order to count in


class Packer:
    """Packs what it has been told of; refuses the rest with the path to it."""

    # `left` is a list of one number, the bytes still to spend: a few lists that hold each other many times over
    # are small until they are written.

    def __init__(self, max_payload: int) -> None:
        self._max_payload = max_payload
        self._scalars = dict(SCALARS)
        self._containers: dict[type, Callable[[Any, int, list[int]], object]] = {
            list: self._list,
            dict: self._dict,
            tuple: partial(self._group, "tuple", _at_index),
            set: partial(self._group, "set", _at_member),
            frozenset: partial(self._group, "frozenset", _at_member),
        }

    def add_enum(self, cls: type[Enum], tag: str) -> None:
        self._scalars[cls] = partial(pack_member, tag)

    def add_dataclass(self, cls: type, tag: str, names: list[str]) -> None:
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
            raise Refused(
                value, f"it is over {_MAX_DEPTH} deep, or holds itself", "Pass it flat, or pass its id"
            )
        return container(value, depth + 1, left)

    def _list(self, values: list[object], depth: int, left: list[int], where: Where = _at_index) -> object:
        left[0] -= 1 + len(values)
        if left[0] < 0:
            raise self._overspent(values)
        packed, index = values, 0
        try:
            for index, value in enumerate(values):
                if type(value) is str and value.isascii():
                    continue
                new = self._pack(value, depth, left)
                if new is not value:
                    packed = values.copy() if packed is values else packed
                    packed[index] = new
        except Refused as refused:
            refused.path = where(index) + refused.path
            raise
        return packed

    def _group(
        self, tag: str, where: Where, values: Collection[object], depth: int, left: list[int]
    ) -> object:
        return tagged(tag, self._list(list(values), depth, left, where))

    def _dict(self, values: dict[Any, object], depth: int, left: list[int], where: Where = _at_key) -> object:
        left[0] -= 1 + len(values)
        if left[0] < 0:
            raise self._overspent(values)
        for key in values:
            if type(key) is not str or key == TAG:
                return self._pairs(values, depth, left)
        packed, key = values, ""
        try:
            for key, value in values.items():
                if not key.isascii():
                    pack_text(key)
                if type(value) is str and value.isascii():
                    continue
                new = self._pack(value, depth, left)
                if new is not value:
                    packed = values.copy() if packed is values else packed
                    packed[key] = new
        except Refused as refused:
            refused.path = where(key) + refused.path
            raise
        return packed

    def _pairs(self, values: dict[object, object], depth: int, left: list[int]) -> object:
        pairs = []
        key: object = None
        try:
            for key, value in values.items():
                pairs.append([self._pack(key, depth, left), self._pack(value, depth, left)])
        except Refused as refused:
            refused.path = _at_key(key) + refused.path
            raise
        return tagged("dict", pairs)

    def _fields(self, tag: str, names: list[str], value: object, depth: int, left: list[int]) -> object:
        return tagged(tag, self._dict({name: getattr(value, name) for name in names}, depth, left, _at_field))

    def _overspent(self, values: Collection[object]) -> Refused:
        return Refused(values, *over(self._max_payload, f"over {self._max_payload:,}"))
