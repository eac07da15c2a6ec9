"""A unit: how a figure is written for people."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """Figures are kept in SI units and bytes; `per` is how many of them make one of ours."""

    suffix: str
    per: float = 1.0

    def write(self, value: float, *, is_difference: bool = False) -> str:
        scaled = value / self.per
        sign = "+" if is_difference and scaled >= 0 else ""
        return f"{sign}{_short(scaled)}{self.suffix}"


RATIO = Unit(suffix="x")
PER_SECOND = Unit(suffix="/s")
MILLISECONDS = Unit(suffix=" ms", per=1e-3)
BYTES = Unit(suffix=" B")
MEBIBYTES = Unit(suffix=" MiB", per=2**20)
MEGABYTES = Unit(suffix=" MB", per=1e6)

MIB = 2.0**20
MB = 1e6
MS = 1e-3


def _short(value: float) -> str:
    size = abs(value)
    if size >= 10_000_000:
        return f"{value / 1e6:.0f}M"
    if size >= 1_000_000:
        return f"{value / 1e6:.2f}M"
    if size >= 10_000:
        return f"{value / 1e3:.1f}k"
    if size >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"
