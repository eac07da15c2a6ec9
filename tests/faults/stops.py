"""Processes are stopped for longer than their lease, and go on: is anything accepted of what they did?

python -m tests.faults.stops --stops 1000
"""

import argparse
import os
import random
import signal
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from tests.faults.checker import Report, Stored
from tests.faults.lives import Lives

LEASE = 0.6  # seconds
TOGETHER = 5  # processes that are stopped at once, beside one that is not


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """What came of it."""

    seed: int
    stops: int
    refused: int  # runs that came to an end in a process whose job was another's by then
    report: Report

    @property
    def accepted(self) -> int:
        """Stale writes that are in the store."""
        return sum(len(self.report.broken.get(name, ())) for name in ("I3", "I7"))

    def __str__(self) -> str:
        return (
            f"SIGSTOP for longer than the lease, {self.stops} times (seed {self.seed}): {self.accepted} stale writes "
            f"accepted, {self.refused} refused\n  {self.report}\n"
        )


def run(*, stops: int, seed: int, folder: Path) -> Tally:
    """Stop some of them together, until others have their jobs; then let them go on."""
    chance = random.Random(seed)
    lives = Lives(folder, {**os.environ, "PLAYER_LEASE": f"{LEASE}"})
    try:
        guard = lives.begin("guard")
        lives.wait_until_up(guard)
        processes = [lives.begin("share") for _ in range(min(TOGETHER, stops))]
        for process in processes:
            lives.wait_until_up(process)
            lives.recorder.frozen(process.pid)  # and again and again
        for start in range(0, stops, TOGETHER):
            time.sleep(chance.uniform(0.1, 0.4))
            stopped = processes[: stops - start]
            for process in stopped:
                process.send_signal(signal.SIGSTOP)
            time.sleep(LEASE + chance.uniform(0.2, 0.5))
            for process in stopped:
                process.send_signal(signal.SIGCONT)
        (folder / "stop").touch()
        for process in (*processes, guard):
            assert lives.end(process) == 0, lives.trace()
    finally:
        lives.close()
    rows = Stored.of(folder / "jobs.db").rows
    ends = [event for event in lives.events() if event.what == "end" and event.id in rows]
    refused = sum(event.attempt != rows[event.id].attempt for event in ends)
    return Tally(seed=seed, stops=stops, refused=refused, report=lives.report())


def main() -> None:
    parser = argparse.ArgumentParser(prog="stops", description="Stop processes for longer than their lease.")
    parser.add_argument("--stops", type=int, default=50)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        tally = run(stops=given.stops, seed=given.seed, folder=Path(folder))
    sys.stdout.write(str(tally))
    sys.exit(bool(tally.report.broken) or not tally.refused)


if __name__ == "__main__":
    main()
