"""Jobs that their process dies of, under a supervisor that starts it again: does everything else get done?

python -m tests.faults.poisons --rounds 5
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.faults.checker import Report, Stored
from tests.faults.lives import Lives
from tests.faults.stored import FAILED, SUCCESSFUL

KINDS = ("segfault", "exit", "memory", "abort")
MOST = 3  # restarts that a poison may cost


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """What came of it."""

    poisons: Sequence[str]
    how: str
    deaths: int
    starts: int  # of the poison that was started most often
    quarantined: int
    others: int
    undone: int  # of the others
    report: Report

    @property
    def is_clean(self) -> bool:
        is_kept = self.deaths <= MOST * len(self.poisons) and self.starts <= MOST
        return is_kept and self.quarantined == len(self.poisons) and not self.undone and not self.report.broken

    def __str__(self) -> str:
        return (
            f"poisons {self.how} ({', '.join(self.poisons)}): {self.deaths} restarts, none started more than "
            f"{self.starts} times, {self.quarantined} quarantined; of {self.others} other jobs {self.undone} not "
            f"done\n  {self.report}\n"
        )


def run(folder: Path, *, batches: Sequence[Sequence[str]], how: str) -> Tally:
    """Enqueue one batch after the other, and start the process again until it ends in peace."""
    lives = Lives(folder, {**os.environ})
    deaths = 0
    try:
        for batch in batches:
            role = ("poison", *batch)
            while lives.end(process := lives.begin(*role)):
                lives.recorder.kill(process.pid)  # not by us: but from here on its jobs are others'
                deaths += 1
                role = ("finish",)
    finally:
        lives.close()
    return tally_of(lives, [kind for batch in batches for kind in batch], how=how, deaths=deaths)


def tally_of(lives: Lives, poisons: list[str], *, how: str, deaths: int) -> Tally:
    events = lives.events()
    ids = [event.id for event in events if event.what == "start" and "poison" in event.more]
    rows = Stored.of(lives.folder / "jobs.db").rows
    others = [row for row in rows.values() if row.id not in ids]
    return Tally(
        poisons=poisons,
        how=how,
        deaths=deaths,
        starts=max(map(ids.count, ids), default=0),
        quarantined=sum(rows[job_id].state == FAILED and rows[job_id].crashes == MOST for job_id in {*ids}),
        others=len(others),
        undone=sum(row.state != SUCCESSFUL for row in others),
        report=lives.report(),
    )


def each(folder: Path) -> list[Tally]:
    """All at once, and one by one."""
    return [
        run(folder / "at once", batches=[KINDS], how="at once"),
        run(folder / "one by one", batches=[[kind] for kind in KINDS], how="one by one"),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(prog="poisons", description="Run jobs that their process dies of.")
    parser.add_argument("--rounds", type=int, default=1)
    given = parser.parse_args()
    is_clean = True
    for _ in range(given.rounds):
        with tempfile.TemporaryDirectory() as folder:
            for tally in each(Path(folder)):
                sys.stdout.write(str(tally))
                sys.stdout.flush()
                is_clean = is_clean and tally.is_clean
    sys.exit(not is_clean)


if __name__ == "__main__":
    main()
