"""Deploys under load: visitors ask for work while the site is succeeded again and again, and none must notice.

    python -m tests.faults.deploys --deploys 200 --busy

Visitors keep their connections or make one for each request, and try nothing twice: a request that gets no answer has
failed. The site's tasks nap, compute, are interrupted, or take longer than the drain.
"""

import argparse
import http.client
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

from tests.faults.checker import Report, Stored, check
from tests.faults.recorder import Recorder, read
from tests.faults.served import ROOT, free_port

PATIENCE = 40.0  # seconds until what has not come about is taken for broken
DRAIN = 1.0
PAUSE = 0.02  # seconds between two requests of a visitor: the load is bounded
BUSY = 0.005  # seconds that a request computes where the loop is to be busy
TASKS = ("nap", "compute", "crawl")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """What came of it."""

    deploys: int
    is_busy: bool
    requests: int
    failures: list[str]
    report: Report
    spent: dict[str, int]  # attempts beyond the first, by job
    seconds: float

    def __str__(self) -> str:
        loop = "a busy loop" if self.is_busy else "an idle loop"
        figures = self.report.figures
        told = (
            f"{self.deploys} deploys with {loop}: {len(self.failures)} of {self.requests} requests failed, "
            f"{figures['lost']} of {figures['acknowledged']} jobs lost, {sum(self.spent.values())} attempts spent, "
            f"{figures['started again']} runs given back ({self.seconds:.0f} s)"
        )
        lines = [told, *self.failures[:5]]
        if self.report.broken:
            lines.append(str(self.report))
        return "\n".join(lines) + "\n"


class Site:
    """One address, and the process that serves it just now."""

    def __init__(self, folder: Path, recorder: Recorder) -> None:
        self.port = free_port()
        self._folder = folder
        self._recorder = recorder
        self._pids: list[int] = []
        command = [sys.executable, "-m", "greenroom", "serve", "tests.faults.deployed:app"]
        options = ["--bind", f"127.0.0.1:{self.port}", "--drain", f"{DRAIN}", "--pid", f"{folder}/pid"]
        with (folder / "log").open("wb") as log:
            self._first = subprocess.Popen(
                [*command, *options, "--no-access-log"],
                cwd=ROOT,
                env={**os.environ, "GREENROOM_DEPLOYED": str(folder)},
                stderr=log,
            )
        self._take_note()

    def deploy(self) -> None:
        """Have it succeeded, and wait until the successor serves."""
        self._recorder.drained(self._pids[-1])
        os.kill(self._pids[-1], signal.SIGHUP)
        self._take_note()

    def stop(self) -> None:
        self._recorder.drained(self._pids[-1])
        os.kill(self._pids[-1], signal.SIGTERM)
        for pid in self._pids:
            self._wait(lambda pid=pid: not is_alive(pid), f"process {pid} to end")

    def close(self) -> None:
        """Whatever became of it, have it gone."""
        for pid in self._pids:
            if is_alive(pid):
                os.kill(pid, signal.SIGKILL)
        self._first.wait()

    def _take_note(self) -> None:
        file = self._folder / "pid"
        last = self._pids[-1:]
        self._wait(lambda: file.exists() and [int(file.read_text())] != last, "somebody to serve")
        self._pids.append(int(file.read_text()))

    def _wait(self, happens, what: str) -> None:
        ends = time.monotonic() + PATIENCE
        while not happens():
            self._first.poll()  # so that it is no zombie
            assert time.monotonic() < ends, (
                f"waited in vain for {what}:\n{(self._folder / 'log').read_text()[-4000:]}"
            )
            time.sleep(0.01)


class Visitor(threading.Thread):
    """Asks for work, one thing after the other, until it is told to go home."""

    def __init__(self, name: str, site: Site, *, keeps: bool, busy: float) -> None:
        super().__init__(name=name, daemon=True)
        self.requests = 0
        self.failures: list[str] = []
        self._site = site
        self._keeps = keeps
        self._busy = busy
        self._chance = random.Random(name)
        self._home = threading.Event()
        self._connection = self._fresh()
        self.start()

    def go_home(self) -> None:
        self._home.set()
        self.join(PATIENCE)
        self._connection.close()

    def run(self) -> None:
        while not self._home.wait(PAUSE):
            self.requests += 1
            task = "overstay" if self._chance.random() < 0.005 else self._chance.choice(TASKS)
            path = f"/enqueue?task={task}&key={self.name}-{self.requests}&busy={self._busy}"
            try:
                self._ask(path)
            except (OSError, http.client.HTTPException, AssertionError) as error:
                self.failures.append(f"{time.monotonic():.3f} {self.name} {path}: {error!r}")
                self._connection.close()

    def _ask(self, path: str) -> None:
        if not self._keeps:
            self._connection.close()
            self._connection = self._fresh()
        self._connection.request("POST", path)
        response = self._connection.getresponse()
        body = response.read()
        assert response.status == 200, body

    def _fresh(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self._site.port, timeout=PATIENCE)


def run(*, deploys: int, is_busy: bool, folder: Path) -> Tally:
    """Deploy so often while visitors come; then let the site finish its work and look at what is there."""
    began = time.monotonic()
    chance = random.Random(deploys)
    with closing(Recorder(folder / "history")) as recorder, ExitStack() as at_last:
        site = Site(folder, recorder)
        at_last.callback(site.close)
        visitors = [
            Visitor(f"{'keeper' if keeps else 'comer'}-{number}", site, keeps=keeps, busy=BUSY if is_busy else 0.0)
            for keeps in (True, False)
            for number in range(2)
        ]
        for _ in range(deploys):
            time.sleep(chance.uniform(0, 0.2))
            site.deploy()
        for visitor in visitors:
            visitor.go_home()
        wait_until_done(site)
        site.stop()
    stored = Stored.of(folder / "greenroom.db")
    return Tally(
        deploys=deploys,
        is_busy=is_busy,
        requests=sum(visitor.requests for visitor in visitors),
        failures=[failure for visitor in visitors for failure in visitor.failures],
        report=check(read(folder / "history"), stored),
        spent={row.id: row.attempt - 1 for row in stored.rows.values() if row.attempt > 1},
        seconds=time.monotonic() - began,
    )


def wait_until_done(site: Site) -> None:
    ends = time.monotonic() + PATIENCE
    while True:
        with closing(http.client.HTTPConnection("127.0.0.1", site.port, timeout=PATIENCE)) as connection:
            connection.request("GET", "/left")
            left = int(connection.getresponse().read())
        if not left:
            return
        assert time.monotonic() < ends, f"{left} jobs are not done"
        time.sleep(0.05)


def is_alive(pid: int) -> bool:
    """Also of one that is not our child; a zombie is not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def main() -> None:
    parser = argparse.ArgumentParser(prog="deploys", description="Deploy a site while it is visited.")
    parser.add_argument("--deploys", type=int, default=20)
    parser.add_argument("--busy", action="store_true", help="with requests that compute")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        tally = run(deploys=given.deploys, is_busy=given.busy, folder=Path(folder))
    sys.stdout.write(str(tally))
    sys.exit(bool(tally.failures or tally.spent or tally.report.broken))


if __name__ == "__main__":
    main()
