"""A server: a program of ours or of a peer on a loopback port, for as long as it is measured."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic, sleep
from urllib.error import URLError
from urllib.request import urlopen

from benchmarks.side import Plan

PYTHON = (sys.executable, "-m")
PATIENCE = 20.0

Server = subprocess.Popen[bytes]


class NoAnswerError(Exception):
    pass


@contextmanager
def running(plan: Plan, command: Sequence[str], patience: float = 10) -> Iterator[Server]:
    log = Path(plan.directory, "server.log")
    with log.open("ab") as output:
        server = subprocess.Popen(command, stdout=output, stderr=output, cwd=Path(__file__).parents[1])
    try:
        yield server
    except NoAnswerError as failure:
        raise RuntimeError(f"{failure}: {log.read_text(encoding='utf-8').strip()[-1000:]}") from None
    finally:
        server.terminate()
        try:
            server.wait(patience)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def first_request(servers: Sequence[Server], port: int) -> None:
    """Wait until the server answers; that answer has also enqueued a first job."""
    deadline = monotonic() + PATIENCE
    while monotonic() < deadline and all(server.poll() is None for server in servers):
        with suppress(URLError, ConnectionError), urlopen(f"http://127.0.0.1:{port}/", timeout=5) as answer:
            answer.read()
            return
        sleep(0.05)
    raise NoAnswerError("the server ended, or gave no answer")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
