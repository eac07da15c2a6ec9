"""A served app: `greenroom serve` as a process of its own, to be watched, ended and killed."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Self
from urllib.parse import urlencode

ROOT = Path(__file__).parents[2]
PATIENCE = 20.0  # seconds until what has not come about is taken for broken


class Served:
    """One address, served by one process after the other. `command` is what follows `python -m`."""

    def __init__(self, *command: str, log: Path, folder: Path = ROOT, env: Mapping[str, str] | None = None) -> None:
        self.port = free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self.command = [sys.executable, "-m", *command, "--bind", f"127.0.0.1:{self.port}"]
        self._folder = folder
        self._env = {**os.environ, "GREENROOM_DEMO_ADDRESS": self.address, **(env or {})}
        self._log = log
        self._process = None
        self._browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self.command, cwd=self._folder, env=self._env, stdout=log, stderr=subprocess.STDOUT
            )

    def wait_until_healthy(self) -> None:
        wait_until(self._is_healthy, f"{self.address}/healthz to say that it is well", self.trace)

    def get(self, path: str) -> tuple[int, str]:
        """The status of the answer, and its text."""
        return self._ask(urllib.request.Request(self.address + path))

    def post(self, path: str, **form: object) -> tuple[int, str]:
        """A form, filled in; where the answer leads elsewhere, that is gone to."""
        return self._ask(urllib.request.Request(self.address + path, urlencode(form).encode()))

    def upload(self, path: str, field: str, content: bytes) -> tuple[int, str]:
        """A form with a file in it."""
        head = f'--limit\r\nContent-Disposition: form-data; name="{field}"; filename="a file"\r\n\r\n'
        body = head.encode() + content + b"\r\n--limit--\r\n"
        kind = {"Content-Type": "multipart/form-data; boundary=limit"}
        return self._ask(urllib.request.Request(self.address + path, body, kind))

    def kill(self) -> None:
        """As `kill -9` does it, at once."""
        self._process.kill()
        self._process.wait()

    def stop(self) -> int:
        """As a deploy does it: SIGTERM, and time to drain. Gives the exit status."""
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(timeout=PATIENCE)

    def close(self) -> None:
        """Whatever became of it, have it gone."""
        if self._process is not None and self._process.poll() is None:
            self.kill()

    def trace(self) -> str:
        """The end of what it printed, for the message of a test that fails."""
        return self._log.read_text()[-4000:] if self._log.exists() else ""

    def __enter__(self) -> Self:
        self.start()
        self.wait_until_healthy()
        return self

    def __exit__(self, *error) -> None:
        self.close()

    def _ask(self, request: urllib.request.Request) -> tuple[int, str]:
        try:
            with self._browser.open(request, timeout=PATIENCE) as answer:
                return answer.status, answer.read().decode(errors="replace")
        except urllib.error.HTTPError as error:
            with error:
                return error.status, error.read().decode(errors="replace")

    def _is_healthy(self) -> bool:
        if self._process.poll() is not None:
            raise AssertionError(f"{self.command} ended with {self._process.returncode}:\n{self.trace()}")
        try:
            return self.get("/healthz")[0] == 200
        except OSError:
            return False


def wait_until(happens, what: str, explain=lambda: "") -> None:
    """Ask until `happens()` is true; fail when patience ends."""
    ends = time.monotonic() + PATIENCE
    while not happens():
        assert time.monotonic() < ends, f"waited {PATIENCE:g} s in vain for {what}.\n{explain()}"
        time.sleep(0.01)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]
