"""Damages database files at random, and opens them: is it told, is it survived, and is nothing lost in silence?

    python -m tests.faults.corruption --corruptions 2000 --seed 7

A store is filled, and its process killed, so that jobs are in the file and in its log. Each corruption is of a copy.
"""

from gevent import monkey

monkey.patch_all()

import argparse
import logging
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from greenroom.clock import SystemClock
from greenroom.errors import StoreCorrupt, StoreError
from greenroom.job import Status
from greenroom.outcome import Succeeded
from greenroom.stores import SqliteStore
from greenroom.stores.base import Claim
from greenroom.testing import a_job

PAGE = 4096
MOVED, IN_LOG = 600, 120  # jobs in the file, and commits in the log
NAME = "jobs.db"


def fill(path: str) -> None:
    """In a process of its own, which is killed at the end."""
    store = SqliteStore(path)
    store.open()
    store.add([job(number) for number in range(MOVED)])
    now = SystemClock().now()
    for claimed in store.claim(Claim(now, {"greenlet": MOVED // 3})).jobs:
        store.swap(claimed, claimed.after(Succeeded('"done"'), now))
    store._writer.run(lambda: store._ledger.connection().execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall())
    for number in range(MOVED, MOVED + IN_LOG):
        store.add([job(number)])
    os.kill(os.getpid(), signal.SIGKILL)


def job(number: int):
    return a_job(id=number + 1, payload=f'[["{number}", "{"x" * (number % 700)}"],{{}}]', run_after=0)


class Damage:
    """One way of damaging a file."""

    def __init__(self, chance: random.Random, folder: Path) -> None:
        self._chance = chance
        self._path = folder / chance.choice([NAME, NAME, f"{NAME}-wal"])
        self.kind = chance.choice([self.flip, self.flip, self.truncate, self.zero, self.garbage, self.empty])

    def __str__(self) -> str:
        return f"{self.kind.__name__} of {self._path.name}"

    def flip(self, content: bytearray) -> bytearray:
        for _ in range(self._chance.choice([1, 1, 4, 32])):
            content[self._chance.randrange(len(content))] ^= 1 << self._chance.randrange(8)
        return content

    def truncate(self, content: bytearray) -> bytearray:
        return content[: self._chance.randrange(1, len(content))]

    def zero(self, content: bytearray) -> bytearray:
        start = self._chance.randrange(0, len(content), PAGE)
        end = min(len(content), start + PAGE)
        content[start:end] = bytes(end - start)
        return content

    def garbage(self, content: bytearray) -> bytearray:
        start = self._chance.choice([0, self._chance.randrange(len(content))])
        end = min(len(content), start + self._chance.choice([100, PAGE, len(content)]))
        content[start:end] = self._chance.randbytes(end - start)
        return content

    def empty(self, content: bytearray) -> bytearray:
        return content[:0]

    def inflict(self) -> None:
        self._path.write_bytes(self.kind(bytearray(self._path.read_bytes())))


class Warnings(logging.Handler):
    """What greenroom said."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(record.getMessage())


def judge(folder: Path, expected: dict[int, str], warnings: Warnings) -> str:
    """Open it, look at all of it and use it; say what came of that. Raises AssertionError for what must not be."""
    path = folder / NAME
    content = path.read_bytes()
    warnings.said.clear()
    store = SqliteStore(path)
    try:
        store.open()
    except StoreCorrupt as error:
        _check_named(path, error)
        again = sorted(folder.iterdir())
        try:
            store.open()
        except StoreCorrupt:
            assert sorted(folder.iterdir()) == again, "a second copy was made"
        else:
            raise AssertionError(f"refused once, and then not: {error}") from None
        kept = [file.read_bytes() for file in folder.glob(f"{NAME}.damaged-*") if not file.name.endswith("-wal")]
        assert content == path.read_bytes() or content in kept, "what was there is nowhere any more"
        return "refused when opened"
    try:
        return _use(store, expected, warnings)
    except StoreCorrupt as error:
        _check_named(path, error)
        return "refused when used"
    finally:
        store.close()
        assert path.exists()


def _check_named(path: Path, error: StoreCorrupt) -> None:
    assert str(path) in str(error), f"the file is not named: {error}"


def _use(store: SqliteStore, expected: dict[int, str], warnings: Warnings) -> str:
    found = {}
    before = None
    while (page := store.find(limit=200, before=before)).jobs:
        found.update({job.id: job.payload for job in page.jobs})
        if page.next is None:
            break
        before = page.next
    counted = sum(store.counts().values())
    now = SystemClock().now()
    claimed = store.claim(Claim(now, {"greenlet": 10_000})).jobs
    store.swap_all([(job, job.after(Succeeded("null"), now)) for job in claimed])
    ended = store.counts()[Status.SUCCESSFUL]
    missing = expected.keys() - found.keys()
    if missing or counted < len(expected) or ended < len(expected):
        assert warnings.said, (
            f"{len(missing)} jobs are not there, {ended} of {counted} came to an end: not a word of it"
        )
        return "opened with a warning of what is left out"
    return "unharmed" if found == expected else "with other text in a job"


def run(corruptions: int, seed: int, folder: Path) -> Counter[str]:
    chance = random.Random(seed)
    warnings = Warnings()
    log = logging.getLogger("greenroom")
    log.addHandler(warnings)
    log.propagate = False
    whole = folder / "whole"
    whole.mkdir()
    filling = subprocess.run(
        [
            sys.executable,
            "-m",
            __name__ if __name__ != "__main__" else "tests.faults.corruption",
            "--fill",
            str(whole / NAME),
        ],
        check=False,
    )
    assert filling.returncode == -signal.SIGKILL, filling
    expected = {number + 1: job(number).payload for number in range(MOVED + IN_LOG)}
    tally: Counter[str] = Counter()
    for number in range(corruptions):
        damaged = folder / str(number)
        shutil.copytree(whole, damaged, ignore=shutil.ignore_patterns("*.bell"))
        damage = Damage(chance, damaged)
        damage.inflict()
        began = time.monotonic()
        try:
            tally[judge(damaged, expected, warnings)] += 1
        except (AssertionError, StoreError, Exception) as error:
            raise AssertionError(f"corruption {number} of seed {seed}, {damage}: {error!r}") from error
        assert time.monotonic() - began < 30, f"corruption {number} of seed {seed}, {damage}: took too long"
        shutil.rmtree(damaged)
    return tally


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corruptions", type=int, default=100)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    parser.add_argument("--fill", metavar="PATH")
    options = parser.parse_args()
    if options.fill:
        fill(options.fill)
    with tempfile.TemporaryDirectory() as folder:
        tally = run(options.corruptions, options.seed, Path(folder))
    sys.stdout.write(report(tally, options.seed))
    return 0


def report(tally: Counter[str], seed: int) -> str:
    told = ", ".join(f"{number} {what}" for what, number in tally.most_common())
    return f"{tally.total()} corruptions (seed {seed}): {told}; 0 lost in silence, 0 crashes, 0 files deleted\n"


if __name__ == "__main__":
    sys.exit(main())
