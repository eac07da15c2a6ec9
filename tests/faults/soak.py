"""Hours of ordinary work in one process: does anything grow, and is anything left over?

    python -m tests.faults.soak --seconds 3600

`greenroom serve` is asked 200 times a second, and each request enqueues a job. Memory, files, threads, greenlets and
the write-ahead log are looked at all the while. The exit code is 1 if a limit was passed, or a request or a job
failed.
"""

import argparse
import http.client
import json
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from tests.faults.served import free_port

RATE = 200  # requests, and jobs, a second
CLIENTS = 4
WARM_UP = 0.3  # of the whole: until as much is pruned as is added
GROWTH = 0.05
WAL_LIMIT = 64 << 20
PATIENCE = 30


@dataclass
class Soak:
    """What was seen."""

    seconds: float
    requests: int = 0
    failed: int = 0
    late: float = 0.0  # seconds that an answer took, at most
    memory: list[tuple[float, int]] = field(default_factory=list)  # when, and bytes (see _memory)
    wal: int = 0
    before: dict[str, int] = field(default_factory=dict)
    after: dict[str, int] = field(default_factory=dict)
    left: dict[str, int] = field(default_factory=dict)
    cpu: float = 0.0
    log: str = ""

    @property
    def growth(self) -> float:
        """Of memory, from the third after warming up to the last one."""
        warm = [size for at, size in self.memory if at >= self.seconds * WARM_UP]
        third = max(1, len(warm) // 3)
        return median(warm[-third:]) / median(warm[:third]) - 1

    def broken(self) -> list[str]:
        """What is not as it must be."""
        grown = {what: number for what, number in self.after.items() if number > self.before[what]}
        facts = {
            f"{self.failed} requests failed": self.failed,
            f"memory grew by {self.growth:.1%}": self.growth >= GROWTH,
            f"the log grew to {self.wal >> 20} MB": self.wal > WAL_LIMIT,
            f"there is more than before: {grown}, before {self.before}": grown,
            f"something is left over: {self.left}": any(self.left.values()),
            f"in {self.seconds:.0f} s there were {self.requests} requests": self.requests < RATE * self.seconds * 0.8,
        }
        return [fact for fact, is_so in facts.items() if is_so]

    def __str__(self) -> str:
        first, last = (self.memory[at][1] / (1 << 20) for at in (0, -1))
        return (
            f"soak of {self.seconds:.0f} s: {self.requests} requests and as many jobs, {self.failed} failed, slowest "
            f"{self.late * 1000:.0f} ms; memory {first:.1f} to {last:.1f} MiB, {self.growth:+.1%} after warming up; "
            f"log at most {self.wal / (1 << 20):.1f} MiB; {self.after} at the end, {self.before} at first; "
            f"left over: {self.left}; {self.cpu:.0%} of a core\n"
        )


def soak(seconds: float, folder: Path) -> Soak:
    database = folder / "soak.db"
    port = free_port()
    command = [sys.executable, "-m", "greenroom", "serve", "tests.faults.soak_app:app", "--no-access-log"]
    env = os.environ | {"SOAK_DATABASE": str(database)}
    found = Soak(seconds)
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen([*command, "--bind", f"127.0.0.1:{port}"], env=env, stderr=log, stdout=log)
    try:
        _wait_for(port, server, folder / "log")
        _ask(found, port, server.pid, database)
        server.send_signal(signal.SIGTERM)
        found.left["exit code"] = server.wait(PATIENCE)
    finally:
        if server.poll() is None:
            server.kill()
            server.wait()
    found.log = (folder / "log").read_text()
    found.left |= _left(database)
    return found


def _wait_for(port: int, server: subprocess.Popen, log: Path) -> None:
    ends = time.monotonic() + PATIENCE
    while True:
        try:
            _get(port, "/census")
        except OSError:
            assert server.poll() is None, log.read_text()
            assert time.monotonic() < ends, "it does not begin to serve"
            time.sleep(0.05)
        else:
            return


def _census(port: int) -> dict[str, int]:
    assert _get(port, "/crowd") == b"ok"  # each time: a thread that has nothing to do goes home after a while
    return json.loads(_get(port, "/census"))


def _get(port: int, path: str) -> bytes:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)) as connection:
        connection.request("GET", path)
        return connection.getresponse().read()


def _ask(found: Soak, port: int, pid: int, database: Path) -> None:
    began = time.monotonic()
    with ThreadPoolExecutor(CLIENTS) as pool:
        clients = [pool.submit(_keep_asking, port, began + found.seconds, number) for number in range(CLIENTS)]
        while (now := time.monotonic() - began) < found.seconds:
            found.memory.append((now, _memory(pid)))
            found.wal = max(found.wal, _size(Path(f"{database}-wal")))
            if not found.before and now > found.seconds * WARM_UP:
                found.before = _census(port)
            time.sleep(max(1.0, found.seconds / 200))
        for client in clients:
            asked, failed, late = client.result()
            found.requests += asked
            found.failed += failed
            found.late = max(found.late, late)
    found.cpu = _cpu(pid) / found.seconds
    found.after = _census(port)


def _keep_asking(port: int, ends: float, number: int) -> tuple[int, int, float]:
    """How many requests were made, how many failed, and how long the slowest took."""
    asked, failed, late = 0, 0, 0.0
    began = time.monotonic()
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)) as connection:
        while (now := time.monotonic()) < ends:
            behind = (now - began) * RATE / CLIENTS - asked
            if behind < 1:
                time.sleep((1 - behind) * CLIENTS / RATE)
                continue
            asked += 1
            failed += not _is_answered(connection, asked * CLIENTS + number)
            late = max(late, time.monotonic() - now)
    return asked, failed, late


def _is_answered(connection: http.client.HTTPConnection, number: int) -> bool:
    try:
        connection.request("GET", f"/?{number}")
        answer = connection.getresponse()
        answer.read()
    except (OSError, http.client.HTTPException):
        connection.close()
        return False
    return answer.status == 200


def _memory(pid: int) -> int:
    """Of what belongs to no file: of the rest, a PSS counts the more, the fewer processes happen to use it too."""
    facts = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:])
    return sum(int(facts[of].split()[0]) << 10 for of in ("Anonymous", "Swap"))


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _cpu(pid: int) -> float:
    facts = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(facts[11]) + int(facts[12])) / os.sysconf("SC_CLK_TCK")


def _left(database: Path) -> dict[str, int]:
    with closing(sqlite3.connect(database)) as connection:
        count = lambda statement: connection.execute(statement).fetchone()[0]  # noqa: E731
        return {
            "rows of workers": count("SELECT count(*) FROM worker"),
            "files of workers": len([*Path(f"{database}.workers").iterdir()]),
            "jobs that did not succeed": count("SELECT count(*) FROM job WHERE state <> 3"),
        }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=180)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = soak(options.seconds, Path(folder))
    sys.stdout.write(str(found))
    for fact in found.broken():
        sys.stdout.write(f"NOT AS IT MUST BE: {fact}\n")
    if found.broken():
        sys.stdout.write(found.log[-3000:])
    return 1 if found.broken() else 0


if __name__ == "__main__":
    sys.exit(main())
