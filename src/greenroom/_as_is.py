"""The codec of volatile jobs: nothing is written, so nothing is encoded, and any object will do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol


class CallCodec(Protocol):
    """How arguments and results are kept while a job lives."""

    def encode_call(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """Raises InvalidPayload for what could not be restored."""

    def decode_call(self, text: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Raises InvalidPayload for what cannot be read."""

    def encode(self, value: Any, *, root: str = "value") -> Any:
        """Raises InvalidPayload for what could not be restored."""

    def decode(self, text: Any) -> Any:
        """Raises InvalidPayload for what cannot be read."""


class AsIs:
    """Keeps the objects themselves. Each attempt gets a fresh dict of keywords, and the same values."""

    def encode_call(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        return args, kwargs

    def decode_call(self, text: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
        args, kwargs = text
        return args, dict(kwargs)

    def encode(self, value: Any, *, root: str = "value") -> Any:
        return value

    def decode(self, text: Any) -> Any:
        return text
