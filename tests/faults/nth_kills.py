"""A process is killed at its n-th write or sync of the database's files: what is on disk then?

    python -m tests.faults.nth_kills [--upto 40]

For each operation of the store and each n, from 1 on, to the end of the operation. After k acknowledged steps there
must be on disk what k steps make of the file, or k + 1, and nothing in between; the file must be sound, and it must
be possible to go on with it. It takes a C compiler: the calls are counted by a library that is preloaded (nth.c).
"""

import argparse
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from tests.faults.mortal import ACTS, NTH_FILES, PLANTED

HOWS = {"before": 0, "half": 1, "after": 2}
NEVER = 1 << 40
ALL = 1 << 30  # steps
UNTOLD = (
    "worker",
    "sqlite_sequence",
)  # tables that differ from one life to the next, but for how many rows they have


class NoCompiler(Exception):
    """There is no C compiler here, and so nothing was shown."""


@dataclass(slots=True)
class Tally:
    """What came of one act."""

    act: str
    kills: int = 0
    calls: int = 0  # until past the end
    lost: list[str] = field(default_factory=list)
    torn: list[str] = field(default_factory=list)
    unsound: list[str] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        return self.kills > 0 and not (self.lost or self.torn or self.unsound)

    def __str__(self) -> str:
        figures = f"{self.act}: {self.kills} kills in {self.calls} writes and syncs"
        found = f"{len(self.lost)} acknowledged lost, {len(self.torn)} torn, {len(self.unsound)} unsound"
        return "\n    ".join([f"{figures}: {found}", *self.lost[:3], *self.torn[:3], *self.unsound[:3]])


class Mortals:
    """A process whose children carry out acts and are killed in the midst."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        env = {**os.environ, "LD_PRELOAD": str(compiled(folder)), "NTH_FILES": NTH_FILES}
        command = [sys.executable, "-m", "tests.faults.mortal"]
        self._process = subprocess.Popen(
            command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]
        )
        self._number = 0

    @contextmanager
    def on_stage(self) -> Iterator[Path]:
        """An empty folder for one life."""
        self._number += 1
        stage = self._folder / f"{self._number}"
        stage.mkdir()
        yield stage
        shutil.rmtree(stage)

    def play(
        self, act: str, folder: Path, *, steps: int = ALL, n: int = NEVER, how: str = "before"
    ) -> dict[str, Any]:
        order = {"act": act, "folder": str(folder), "steps": steps, "n": n, "how": HOWS[how]}
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def close(self) -> None:
        self._process.communicate()


def compiled(folder: Path) -> Path:
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        raise NoCompiler("cc is not to be found: install a C compiler, for this counts calls by a library in C")
    library = folder / "nth.so"
    source = Path(__file__).with_name("nth.c")
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"], check=True)
    return library


def snapshot(folder: Path) -> list:
    """All that the file says of jobs. Raises sqlite3.Error if it is not sound."""
    if not (folder / NTH_FILES).exists():
        return []
    with closing(sqlite3.connect(folder / NTH_FILES)) as connection:
        integrity = connection.execute("PRAGMA integrity_check").fetchall()
        if integrity != [("ok",)]:
            raise sqlite3.DatabaseError(f"integrity check: {integrity}")
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        rows = {table: connection.execute(f"SELECT * FROM {table}").fetchall() for table in tables}
        return [(table, len(rows[table]) if table in UNTOLD else rows[table]) for table in sorted(tables)]


def acks_in(folder: Path) -> int:
    path = folder / "acks"
    return path.stat().st_size if path.exists() else 0


def expected(mortals: Mortals, act: str) -> tuple[list[list], int]:
    """What is on disk after each number of steps, from none, and how many calls they all make."""
    shots: list[list] = []
    while True:
        with mortals.on_stage() as folder:
            # To be killed at the first call is to have made no step.
            played = mortals.play(act, folder, steps=len(shots)) if shots else mortals.play(act, folder, n=1)
            made = acks_in(folder)
            if shots and made < len(shots):
                return shots, played["count"]
            shots.append(snapshot(folder))


def kill_each(mortals: Mortals, act: str, *, upto: int | None) -> Tally:
    """Kill it at each n: up to so many, before, amid and after the call by turns; or past the end, and all three."""
    shots, calls = expected(mortals, act)
    tally = Tally(act, calls=calls)
    for step, (before, after) in enumerate(pairwise(shots), 1):
        if before == after:
            tally.lost.append(f"step {step} was acknowledged, and nothing of it is on disk")
    for n in range(1, min(upto or calls, calls) + 1):
        for how in [*HOWS] if upto is None else [[*HOWS][n % len(HOWS)]]:
            with mortals.on_stage() as folder:
                played = mortals.play(act, folder, n=n, how=how)
                if played["status"] != -signal.SIGKILL:
                    continue  # there were fewer calls this time
                tally.kills += 1
                judge(tally, mortals, folder, shots, f"killed {how} call {n} of {calls}")
    return tally


def judge(tally: Tally, mortals: Mortals, folder: Path, shots: list[list], when: str) -> None:
    made = acks_in(folder)
    try:
        found = snapshot(folder)
    except sqlite3.Error as error:
        tally.unsound.append(f"{when}: {error}")
        return
    if found not in shots[made : made + 2]:
        is_older = found in shots[:made]
        kind = tally.lost if is_older else tally.torn
        kind.append(f"{when}: after {made} acknowledged steps, it is {'as before' if is_older else 'as at no time'}")
    if mortals.play("go on", folder)["status"]:
        tally.unsound.append(f"{when}: it cannot be gone on with")


def run(acts: list[str], *, upto: int | None, folder: Path) -> Iterator[Tally]:
    mortals = Mortals(folder)
    try:
        for act in acts:
            yield kill_each(mortals, act, upto=upto)
    finally:
        mortals.close()


EACH = [act for act in ACTS if act not in ("go on", *(planted.__name__ for planted in PLANTED))]


def main() -> None:
    parser = argparse.ArgumentParser(prog="nth_kills", description="Kill a process at its n-th write or sync.")
    parser.add_argument("--upto", type=int, help="the last n (default: past the end)")
    parser.add_argument("acts", nargs="*", default=EACH)
    given = parser.parse_args()
    is_clean = True
    with tempfile.TemporaryDirectory() as folder:
        for tally in run(given.acts, upto=given.upto, folder=Path(folder)):
            sys.stdout.write(f"{tally}\n")
            sys.stdout.flush()
            is_clean = is_clean and tally.is_clean
    sys.exit(not is_clean)


if __name__ == "__main__":
    main()
