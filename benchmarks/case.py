"""A case: sides that are measured in turn, A B A B, and the rows drawn from them."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace

from benchmarks.row import Result, Row
from benchmarks.side import Broken, Figures, Plan, Side, Unavailable

PREPARATION = "preparation"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Sides measured under the same load; `prepare` runs once before them, in a process of its own."""

    name: str
    sides: Mapping[str, str]  # name -> "module:function"
    rows: tuple[Row, ...]
    prepare: str = ""  # likewise
    rounds: int = 5  # unless it is said how many
    note: Callable[[], str] | None = None  # what else must be known of the instrument

    def is_meant(self, words: Collection[str]) -> bool:
        """By its name, or by the first part of it: "isolation" means "isolation-others" too."""
        return self.name in words or self.name.partition("-")[0] in words

    def run(self, plan: Plan, runs: int, say: Callable[[str], None]) -> Bout:
        bout = Bout(case=self, say=say)
        shared = tempfile.mkdtemp(prefix="greenroom-bench-")
        try:
            bout.play(replace(plan, shared=shared), runs)
        finally:
            shutil.rmtree(shared, ignore_errors=True)
        return bout


@dataclass(slots=True, kw_only=True)
class Bout:
    """One case, being run or played. A side that fails once sits out the rest, and says why."""

    case: Case
    say: Callable[[str], None]
    rounds: list[dict[str, Figures]] = field(default_factory=list)
    reasons: dict[str, str] = field(default_factory=dict)

    @property
    def results(self) -> list[Result]:
        return [row.result(self.rounds, self.reasons) for row in self.case.rows]

    @property
    def broken(self) -> list[str]:
        """What broke, be it in a row or not."""
        return [reason for reason in self.reasons.values() if reason.startswith("BROKEN")]

    @property
    def reasons_beyond_rows(self) -> list[str]:
        """Why sides of which no row tells were not measured."""
        told = {side for row in self.case.rows for side in row.sides}
        return [reason for side, reason in self.reasons.items() if side not in told]

    def play(self, plan: Plan, runs: int) -> None:
        if self.case.prepare:
            self._measure(PREPARATION, self.case.prepare, plan)
        for number in range(1, runs + 1):
            figures = {}
            for name, target in self.case.sides.items():
                if self._is_out(name):
                    continue
                self.say(f"{self.case.name} {number}/{runs}: {name}")
                if (measured := self._measure(name, target, plan)) is not None:
                    figures[name] = measured
            self.rounds.append(figures)

    def _is_out(self, name: str) -> bool:
        if PREPARATION in self.reasons:
            self.reasons[name] = self.reasons[PREPARATION]
        return name in self.reasons

    def _measure(self, name: str, target: str, plan: Plan) -> Figures | None:
        with tempfile.TemporaryDirectory(prefix="greenroom-bench-", ignore_cleanup_errors=True) as directory:
            try:
                return Side(name=name, target=target).measure(replace(plan, directory=directory))
            except Unavailable as lack:
                self.reasons[name] = f"{name}: {lack}"
            except Broken as failure:
                self.reasons[name] = f"BROKEN {name}: {failure}"
        return None
