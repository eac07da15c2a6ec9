"""Cuts the power under load, again and again: is anything lost that was acknowledged, or whose outcome was told?

    python -m tests.faults.powercuts --cuts 200 --durability disk

The disk is a `faultfs` that keeps a write back until it is synced. At a cut the process is killed, and of what was
not synced nothing, some or most reaches the disk, in no order.
"""

import argparse
import random
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.faults.checker import Report, check
from tests.faults.faultfs import FaultFs
from tests.faults.recorder import Recorder, read
from tests.faults.stored import Stored

ENOUGH = 40  # acknowledged enqueues between two cuts
PATIENCE = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """What came of it."""

    seed: int
    durability: str
    cuts: int
    unsynced: int  # bytes that were written and did not reach the disk
    report: Report
    forgotten: Sequence[str]  # jobs whose outcome was told, and is not stored
    seconds: float

    @property
    def lost(self) -> int:
        return self.report.figures["lost"]

    def __str__(self) -> str:
        figures = self.report.figures
        return (
            f"{self.cuts} power cuts (durability {self.durability!r}, seed {self.seed}, {self.seconds:.0f} s): "
            f"{figures['acknowledged']} acknowledged, {self.lost} lost; {len(self.forgotten)} told outcomes lost; "
            f"corrupt {figures['corrupt']}; {figures['started']} runs, {figures['started again']} of them again; "
            f"{self.unsynced} bytes were not synced\n"
        )


def run(cuts: int, seed: int, folder: Path, durability: str = "disk", *, until_lost: bool = False) -> Tally:
    """So many cuts; with `until_lost`, no more than it takes to lose something."""
    began = time.monotonic()
    chance = random.Random(seed)
    history = folder / "history"
    recorder = Recorder(history)
    unsynced = 0
    with FaultFs(folder) as disk:
        database = disk.path / "jobs.db"
        for number in range(cuts):
            disk.hold_back()
            _run_until_cut(database, history, recorder, durability, chance)
            kept = 0.0 if until_lost else chance.choice([0.0, 0.5, 0.9])
            unsynced += disk.cut(kept=kept, seed=seed + number)
            (disk.path / "jobs.db.lock").write_bytes(b"")  # the machine was off
            stored = _stored(database)
            report = check(read(history), stored, is_over=False)
            if report.broken:
                break
        else:
            last = _command(database, history, durability, "finish")
            subprocess.run(last, check=True, timeout=PATIENCE, capture_output=True)
            stored = _stored(database)
            report = check(read(history), stored)
    told = {event.id for event in read(history) if event.what == "recorded"}
    forgotten = sorted(job_id for job_id in told if job_id not in stored.rows or not stored.rows[job_id].is_finished)
    recorder.close()
    return Tally(
        seed=seed,
        durability=durability,
        cuts=number + 1,
        unsynced=unsynced,
        report=report,
        forgotten=forgotten,
        seconds=time.monotonic() - began,
    )


def _run_until_cut(database, history, recorder, durability, chance) -> None:
    before = _acknowledged(history)
    process = subprocess.Popen(_command(database, history, durability, "load"), stderr=subprocess.PIPE, text=True)
    with process:
        try:
            ends = time.monotonic() + PATIENCE
            while _acknowledged(history) - before < ENOUGH:
                if process.poll() is not None:
                    raise AssertionError(f"the load ended by itself: {process.stderr.read()[-3000:]}")
                assert time.monotonic() < ends, "it does not get on"
                time.sleep(0.005)
            time.sleep(chance.uniform(0, 0.2))
            recorder.kill(process.pid)
        finally:
            process.kill()


def _stored(database: Path) -> Stored:
    try:
        return Stored.of(database)
    except sqlite3.OperationalError as error:
        if "no such table" not in str(error):
            raise
        return Stored(rows={})  # not even the schema has reached the disk


def _command(database: Path, history: Path, durability: str, what: str) -> list[str]:
    return [sys.executable, "-m", "tests.faults.load", what, str(database), str(history), durability]


def _acknowledged(history: Path) -> int:
    return history.read_bytes().count(b'"what": "ack"')


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cuts", type=int, default=20)
    parser.add_argument("--durability", choices=["disk", "process"], default="disk")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        tally = run(options.cuts, options.seed, Path(folder), options.durability)
    sys.stdout.write(f"{tally}{tally.report}\n")
    return 1 if tally.report.broken or tally.forgotten else 0


if __name__ == "__main__":
    sys.exit(main())
