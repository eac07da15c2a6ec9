"""Latencies: what requests met beside each load, contender by contender; the whole of which the bars judge a part."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from benchmarks.side import Figures
from benchmarks.unit import MILLISECONDS, RATIO

COLUMNS = ("beside", "run by", "p50", "p99", "p99.9", "max", "p99 to idle", "unanswered")
SHARES = {"p50": 0.5, "p99": 0.99, "p999": 0.999, "max": 1.0}
SEPARATOR = ", beside "
IDLE = "no tasks"  # the load that is none


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """One contender beside one load: medians over the rounds, in seconds."""

    contender: str
    load: str
    p50: float
    p99: float
    p999: float
    max: float
    requests: float
    unanswered: float

    def lacks(self, mark: str) -> bool:
        """Whether that figure is but a bound: so many were unanswered, which count as the worst there are."""
        return bool(self.unanswered) and self.unanswered >= (1 - SHARES[mark]) * self.requests


def side_of(contender: str, load: str) -> str:
    """What the side of that contender beside that load is called."""
    return f"{contender}{SEPARATOR}{load}"


def latencies_in(rounds: Iterable[Mapping[str, Figures]]) -> list[Latency]:
    """Of every side that measured latencies, in the order in which they were first measured."""
    by_side: dict[str, list[Figures]] = {}
    for figures in rounds:
        for side, measured in figures.items():
            if SEPARATOR in side:
                by_side.setdefault(side, []).append(measured)
    return [_latency(side, measured) for side, measured in by_side.items()]


def as_table(latencies: Sequence[Latency]) -> str:
    """For a terminal. A figure with ">" is a bound: requests were still unanswered when the measurement ended."""
    idle = next((latency for latency in latencies if latency.load == IDLE), None)
    cells = [COLUMNS, *(_cells(latency, idle) for latency in sorted(latencies, key=_order(latencies)))]
    widths = [max(len(line[column]) for line in cells) for column in range(len(COLUMNS))]
    cells.insert(1, tuple("-" * width for width in widths))
    return "\n".join("  ".join(map(str.ljust, line, widths)).rstrip() for line in cells)


def _latency(side: str, measured: Sequence[Figures]) -> Latency:
    contender, _, load = side.partition(SEPARATOR)
    keys = (*SHARES, "requests", "unanswered")
    return Latency(contender=contender, load=load, **{key: median(one[key] for one in measured) for key in keys})


def _order(latencies: Sequence[Latency]):
    """By load, as first met."""
    loads = list(dict.fromkeys(latency.load for latency in latencies))
    return lambda latency: loads.index(latency.load)


def _cells(latency: Latency, idle: Latency | None) -> tuple[str, ...]:
    return (
        latency.load,
        latency.contender,
        *(_written(latency, mark) for mark in SHARES),
        RATIO.write(latency.p99 / idle.p99) if idle and idle.p99 else "?",
        f"{latency.unanswered:.0f} of {latency.requests:.0f}" if latency.unanswered else "",
    )


def _written(latency: Latency, mark: str) -> str:
    return (">" if latency.lacks(mark) else "") + MILLISECONDS.write(getattr(latency, mark))
