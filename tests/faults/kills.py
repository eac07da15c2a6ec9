"""Processes that run jobs are killed again and again: is anything lost, and how soon does it go on?

python -m tests.faults.kills --kills 1000 --systems 2
"""

import argparse
import os
import random
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.faults.checker import Report
from tests.faults.lives import Lives
from tests.faults.recorder import Event

SOON = 1.0  # seconds from the start of a process to when what was interrupted runs again
STARTING = 0.2  # of the kills, how many meet a process that has hardly begun to start


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """What came of it."""

    seed: int
    kills: int
    reports: Sequence[Report]
    delays: Sequence[float]  # from a process's start to when a job that was interrupted ran again
    own: Sequence[float]  # of that, from when its room was started: the rest is Python's

    @property
    def is_clean(self) -> bool:
        return not any(report.broken for report in self.reports)

    @property
    def p99(self) -> float:
        return quantile(self.delays, 0.99)

    def __str__(self) -> str:
        lines = [
            f"kill -9, {self.kills} cycles (seed {self.seed})",
            *(str(report) for report in self.reports),
            f"from the start of the process to running again: {spread(self.delays)}",
            f"from the start of its room: {spread(self.own)}",
        ]
        return "\n  ".join(lines) + "\n"


def run(*, kills: int, seed: int, folder: Path, systems: int = 2) -> Tally:
    """Kill, restart, and let it finish; `systems` of them at once, for a start is mostly waiting."""
    shares = [kills // systems + (number < kills % systems) for number in range(systems)]
    with ThreadPoolExecutor(systems) as pool:
        futures = [
            pool.submit(torment, share, random.Random(seed + number), folder / f"{number}")
            for number, share in enumerate(shares)
        ]
        ends = [future.result() for future in futures]
    times = [time for _, events in ends for time in returns(events)]
    return Tally(
        seed=seed,
        kills=kills,
        reports=[report for report, _ in ends],
        delays=sorted(delay for delay, _ in times),
        own=sorted(own for _, own in times),
    )


def torment(kills: int, chance: random.Random, folder: Path) -> tuple[Report, list[Event]]:
    lives = Lives(folder, {**os.environ})
    try:
        for _ in range(kills):
            process = lives.begin("feed")
            if chance.random() < STARTING:
                time.sleep(chance.uniform(0, 0.4))
            else:
                lives.wait_until_up(process)
                time.sleep(chance.uniform(0, 0.5))
            lives.kill(process)
        last = lives.begin("finish")
        assert lives.end(last) == 0, lives.trace()
    finally:
        lives.close()
    return lives.report(), lives.events()


def returns(events: Iterable[Event]) -> Iterable[tuple[float, float]]:
    """How long it took from the start of a process, and of its room, until it ran what had been interrupted.

    After a job's first crash only: what crashed twice is a suspect, and begins late on purpose.
    """
    begun: dict[int, float] = {}
    up: dict[int, float] = {}
    seen: set[str] = set()
    for event in events:
        if event.what == "begun":
            begun[event.pid] = event.more["began"]
        elif event.what == "up":
            up[event.pid] = event.t
        elif event.what == "start" and event.more["crashes"] == 1 and event.id not in seen:
            seen.add(event.id)
            yield event.t - begun[event.pid], max(0.0, event.t - up.get(event.pid, event.t))


def quantile(numbers: Sequence[float], q: float) -> float:
    return numbers[min(len(numbers) - 1, int(len(numbers) * q))] if numbers else 0.0


def spread(numbers: Sequence[float]) -> str:
    p50, p99 = (quantile(numbers, q) for q in (0.5, 0.99))
    return f"p50 {p50:.3f} s, p99 {p99:.3f} s, max {max(numbers, default=0):.3f} s of {len(numbers)}"


def main() -> None:
    parser = argparse.ArgumentParser(prog="kills", description="Kill processes that run jobs.")
    parser.add_argument("--kills", type=int, default=60)
    parser.add_argument("--systems", type=int, default=2)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        tally = run(kills=given.kills, seed=given.seed, folder=Path(folder), systems=given.systems)
    sys.stdout.write(str(tally))
    sys.exit(not tally.is_clean or tally.p99 >= SOON)


if __name__ == "__main__":
    main()
