"""Several processes on one SQLite file: each enqueues its share, and all run all of it.

    python -m tests.faults.siblings [--processes 4] [--jobs 10000] [--quiet-machine]

Prints what each has run, how long its event loop was held at most, and what the checker found. With
`--quiet-machine` the loop must not have been held for 50 ms, which nobody can promise beside other load.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tests.faults.checker import Report, Stored, check
from tests.faults.recorder import read

GAP = 50.0  # milliseconds
PATIENCE = 150.0


@dataclass(frozen=True, kw_only=True)
class Played:
    """What came of it."""

    report: Report
    ran: list[int]  # jobs, of each process
    gaps: list[float]  # milliseconds for which a loop was held at most, of each process
    errors: list[str]
    seconds: float

    @property
    def fairness(self) -> float:
        """How many times as much the busiest process has run as the idlest."""
        return max(self.ran) / max(1, min(self.ran))

    def __str__(self) -> str:
        gaps = ", ".join(f"{gap:.0f}" for gap in self.gaps)
        return (
            f"{len(self.ran)} processes ran {', '.join(map(str, self.ran))} jobs (fair within {self.fairness:.2f}x) "
            f"in {self.seconds:.1f} s; double claims {self.report.figures['started again']}, errors seen by the app "
            f"{len(self.errors)}; hub gap at most {gaps} ms\n{self.report}"
        )


def play(folder: Path, processes: int, jobs: int) -> Played:
    """Have them do it, and judge."""
    children = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.faults.sibling", str(folder), str(number), str(processes), str(jobs)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(processes)
    ]
    try:
        for child in children:
            assert child.stdout.readline() == "ready\n"
        for child in children:
            child.stdin.write("go\n")
            child.stdin.flush()
        told = [json.loads(child.communicate(timeout=PATIENCE)[0]) for child in children]
    finally:
        for child in children:
            child.kill()
            child.communicate()
    assert [child.returncode for child in children] == [0] * processes
    return Played(
        report=check(read(folder / "history"), Stored.of(folder / "greenroom.db")),
        ran=[one["ran"] for one in told],
        gaps=[one["gap"] for one in told],
        errors=[error for one in told for error in one["errors"]],
        seconds=max(one["seconds"] for one in told),
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--processes", type=int, default=4)
    parser.add_argument("--jobs", type=int, default=10_000, help="that each process enqueues (%(default)s)")
    parser.add_argument("--quiet-machine", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        played = play(Path(folder), options.processes, options.jobs)
    sys.stdout.write(f"{played}\n")
    is_late = options.quiet_machine and max(played.gaps) >= GAP
    return int(bool(played.report.broken or played.errors or played.fairness > 2 or is_late))


if __name__ == "__main__":
    sys.exit(main())
