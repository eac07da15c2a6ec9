"""Prunes millions of finished jobs beside an app that goes on: does anybody notice?

python -m tests.faults.pruning --rows 10000000
"""

from gevent import monkey

monkey.patch_all()

import argparse
import sqlite3
import sys
import tempfile
import time
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import gevent

from greenroom import Greenroom, Status
from greenroom.testing._heart import Heart

PATIENCE = 3600
SETTLES = 20  # seconds that the last jobs may take


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What was measured."""

    rows: int
    left: int
    seconds: float
    longest: float  # CPU time of the hub's thread between two beats
    enqueues: list[float]  # seconds that each took
    before: int  # bytes of the file
    after: int

    def __str__(self) -> str:
        pruned = self.rows - self.left
        took = [f"{1000 * seconds:.1f}" for seconds in sorted(self.enqueues)]
        return (
            f"{pruned} finished jobs pruned in {self.seconds:.1f} s ({pruned / self.seconds:,.0f}/s): the hub was "
            f"held for at most {self.longest * 1000:.1f} ms; {len(took)} enqueues meanwhile, "
            f"p50 {took[len(took) // 2]} ms, p99 {took[len(took) * 99 // 100]} ms, max {took[-1]} ms; "
            f"the file had {self.before >> 20} MB, and has {self.after >> 20} MB\n"
        )


def nothing() -> None:
    """A task."""


def run(rows: int, folder: Path) -> Figures:
    path = folder / "jobs.db"
    fill(path, rows)
    before = path.stat().st_size
    room = Greenroom(f"sqlite:///{path}", retention=timedelta(days=1))
    task = room.task(nothing)
    enqueues: list[float] = []
    began = time.monotonic()
    with Heart() as heart:
        room.start()
        asking = gevent.spawn(_enqueue_for_ever, task, enqueues)
        while _is_left(path, rows):
            assert time.monotonic() - began < PATIENCE, "it is not pruned"
            gevent.sleep(0.2)
        seconds = time.monotonic() - began
        asking.kill()
    left = _unfinished(room)
    room.stop()
    return Figures(
        rows=rows,
        left=left,
        seconds=seconds,
        longest=heart.longest,
        enqueues=enqueues,
        before=before,
        after=path.stat().st_size,
    )


def fill(path: Path, rows: int) -> None:
    """As many jobs that finished long ago."""
    room = Greenroom(f"sqlite:///{path}")
    room.counts()
    room.stop()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute(
            "WITH RECURSIVE number (id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM number LIMIT ?) "
            "INSERT INTO job (id, task, payload, queue_name, lane, priority, max_attempts, run_after, enqueued_at, "
            "state, attempt, version, started_at, finished_at, result) "
            "SELECT id, 'app.mail', '[[\"a@example.org\", \"a message of some length\"],{}]', 'default', 'greenlet', "
            "0, 3, 1, 1, 3, 1, 2, 1, 2, 'null' FROM number",
            (rows,),
        )
        connection.commit()


def _is_left(path: Path, rows: int) -> bool:
    # By their ids, the first ones: to look for what is not there by anything else reads all that came meanwhile.
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        return bool(connection.execute("SELECT 1 FROM job WHERE id <= ? LIMIT 1", (rows,)).fetchone())


def _unfinished(room) -> int:
    # What was enqueued last may still run.
    until = time.monotonic() + SETTLES
    while True:
        counts = room.counts()
        left = sum(counts.values()) - counts[Status.SUCCESSFUL]
        if not left or time.monotonic() > until:
            return left
        gevent.sleep(0.05)


def _enqueue_for_ever(task, enqueues):
    while True:
        began = time.monotonic()
        task.enqueue()
        enqueues.append(time.monotonic() - began)
        gevent.sleep(0.01)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=200_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        sys.stdout.write(str(run(options.rows, Path(folder))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
