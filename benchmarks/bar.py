"""A bar: how far a figure must reach, how far it should, and whether it did."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    AIM = "aim"
    MUST = "must"
    MISSED = "MISSED"
    REFERENCE = "reference"
    SKIPPED = "skipped"
    BROKEN = "BROKEN"

    @property
    def is_failure(self) -> bool:
        return self in {Verdict.MISSED, Verdict.BROKEN}


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """Must and aim, in the unit of the comparison; `is_floor` when more is better."""

    must: float
    aim: float
    is_floor: bool

    @property
    def sign(self) -> str:
        return "≥" if self.is_floor else "≤"

    def judge(self, value: float) -> Verdict:
        if self._reached(value, self.aim):
            return Verdict.AIM
        return Verdict.MUST if self._reached(value, self.must) else Verdict.MISSED

    def _reached(self, value: float, line: float) -> bool:
        return value >= line if self.is_floor else value <= line


def at_least(must: float, aim: float) -> Bar:
    return Bar(must=must, aim=aim, is_floor=True)


def at_most(must: float, aim: float) -> Bar:
    return Bar(must=must, aim=aim, is_floor=False)
