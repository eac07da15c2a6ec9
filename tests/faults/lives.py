"""Lives: processes of `player`, one after the other or side by side, that share a folder, and so a store."""

import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from tests.faults.checker import Report, Stored, check
from tests.faults.recorder import Event, Recorder, read
from tests.faults.served import PATIENCE, ROOT, wait_until

LONG = 6 * PATIENCE  # seconds in which nothing is recorded


class Lives:
    """What is begun in one folder, and what came of it."""

    def __init__(self, folder: Path, env: Mapping[str, str]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.history = folder / "history"
        self.recorder = Recorder(self.history)
        self._env = env
        self._begun: list[subprocess.Popen] = []

    def begin(self, *role: str) -> subprocess.Popen:
        command = [sys.executable, "-m", "tests.faults.player", str(self.folder), *role]
        began = time.monotonic()
        with (self.folder / "log").open("ab") as log:
            process = subprocess.Popen(command, cwd=ROOT, env=self._env, stdout=log, stderr=subprocess.STDOUT)
        self.recorder.note("begun", pid=process.pid, began=began)
        self._begun.append(process)
        return process

    def wait_until_up(self, process: subprocess.Popen) -> None:
        def is_up() -> bool:
            assert process.poll() is None, f"it ended with {process.returncode}:\n{self.trace()}"
            return any(event.what == "up" and event.pid == process.pid for event in read(self.history))

        wait_until(is_up, "a process to be up", self.trace)

    def kill(self, process: subprocess.Popen) -> None:
        self.recorder.kill(process.pid)
        process.kill()
        process.wait()

    def end(self, process: subprocess.Popen) -> int:
        """Wait for its end, however long that is as long as something happens; gives the exit status."""
        written, until = -1, 0.0
        while True:
            with suppress(subprocess.TimeoutExpired):
                return process.wait(1)
            if (size := self.history.stat().st_size) > written:
                written, until = size, time.monotonic() + LONG
            assert time.monotonic() < until, f"it does not come to its end:\n{self.trace()}"

    def events(self) -> list[Event]:
        return read(self.history)

    def report(self) -> Report:
        """What the checker says, once all have ended."""
        return check(self.events(), Stored.of(self.folder / "jobs.db"))

    def trace(self) -> str:
        return (self.folder / "log").read_text()[-4000:]

    def close(self) -> None:
        """Whatever became of them, have them gone."""
        for process in self._begun:
            if process.poll() is None:
                process.kill()
                process.wait()
