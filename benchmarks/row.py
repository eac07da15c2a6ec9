"""A row: one comparison of two figures, taken round by round and judged by its median."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from benchmarks.bar import Bar, Verdict
from benchmarks.side import Figures
from benchmarks.unit import RATIO, Unit


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """How two figures of one round become the value that is judged."""

    of: Callable[[float, float], float]
    unit: Unit | None  # None: the unit of the figures themselves


RATIO_OF = Comparison(of=operator.truediv, unit=RATIO)
DIFFERENCE = Comparison(of=operator.sub, unit=None)
ALONE = Comparison(of=lambda ours, _: ours, unit=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What is measured, for whom (`side.figure`), against whom, and the bar if there is one."""

    measure: str
    ours: str
    against: str = ""
    unit: Unit
    by: Comparison = RATIO_OF
    bar: Bar | None = None

    def result(self, rounds: Sequence[Mapping[str, Figures]], reasons: Mapping[str, str]) -> Result:
        """Compare within each round first: the machine's mood moves both sides, and divides out."""
        ours = [_figure(of_round, self.ours) for of_round in rounds]
        against = [_figure(of_round, self.against) for of_round in rounds]
        beside = ours if self.by is ALONE else against
        pairs = [(a, b) for a, b in zip(ours, beside, strict=True) if a is not None and b is not None]
        values = tuple(self.by.of(a, b) for a, b in pairs if b or self.by is not RATIO_OF)
        return Result(
            row=self,
            ours=_middle(ours),
            against=_middle(against),
            values=values,
            reason=next((reasons[side] for side in self.sides if side in reasons), ""),
        )

    @property
    def sides(self) -> tuple[str, ...]:
        return tuple(path.rpartition(".")[0] for path in (self.ours, self.against) if path)

    @property
    def versus(self) -> str:
        return self.against.rpartition(".")[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """A row, measured."""

    row: Row
    ours: float | None
    against: float | None
    values: tuple[float, ...]
    reason: str  # why there is no value, or that a side is broken

    @property
    def verdict(self) -> Verdict:
        if self.reason.startswith("BROKEN"):
            return Verdict.BROKEN
        if not self.values:
            return Verdict.SKIPPED
        return self.row.bar.judge(self.value) if self.row.bar else Verdict.REFERENCE

    @property
    def value(self) -> float:
        return median(self.values)

    @property
    def unit(self) -> Unit:
        return self.row.by.unit or self.row.unit


def _figure(of_round: Mapping[str, Figures], path: str) -> float | None:
    side, _, key = path.rpartition(".")
    return of_round.get(side, {}).get(key)


def _middle(figures: Sequence[float | None]) -> float | None:
    known = [figure for figure in figures if figure is not None]
    return median(known) if known else None
