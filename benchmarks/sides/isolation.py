"""Isolation: how late a web process answers beside tasks, what they get done, how still it is at rest."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep
from urllib.request import urlopen

import gevent

from benchmarks import client
from benchmarks.apps.keeper import LACKING
from benchmarks.chores import compute_row
from benchmarks.load import rate_of, warm_up
from benchmarks.pairs import in_turn
from benchmarks.server import PYTHON, NoAnswerError, Server, first_request, free_port, running
from benchmarks.side import Figures, Plan, Unavailable

QUIET = 4.0  # seconds until what a start stirred up has settled: suspects are looked for 3 seconds after it
TASKS = 4
PAIRS = 7


def prepare(plan: Plan) -> Figures:
    """Build the client, once for all sides."""
    return {"compiled": client.build(plan.shared) is not None}


def beside(plan: Plan, load: str, contender: str, lane: str = "greenlet", share: str = "2") -> Figures:
    """Latencies beside a load that `contender` runs, for `share` times the plan's seconds."""
    seconds = plan.seconds * float(share)
    with _web(plan, contender, load, lane) as (server, port):
        _begin(port)
        seen = client.visit(plan.shared, port, seconds)
        _must_live(server, plan)
    return seen.figures(seconds)


def beside_worker(plan: Plan, load: str, share: str = "2") -> Figures:
    """Latencies beside a process that runs the load."""
    seconds = plan.seconds * float(share)
    with _web(plan, "nobody", "no tasks", "") as (server, port), _worker(load) as worker:
        seen = client.visit(plan.shared, port, seconds)
        _must_live(server, plan)
        if worker.poll() is not None:
            raise RuntimeError(f"the worker ended with {worker.returncode}")
    return seen.figures(seconds)


def switches(plan: Plan, contender: str) -> Figures:
    """Voluntary context switches a second while nothing happens: each is a sleep that something ended.

    In a few seconds after the start, before the lease is renewed for the first time, as it is every 10 seconds.
    """
    seconds = 2 * plan.seconds
    with _web(plan, contender, "no tasks", "greenlet") as (server, _):
        sleep(QUIET)
        before, started = _voluntary_switches(server.pid), monotonic()
        sleep(seconds)
        after, taken = _voluntary_switches(server.pid), monotonic() - started
        _must_live(server, plan)
    return {"rate": sum(count - before.get(thread, 0) for thread, count in after.items()) / taken}


def work(plan: Plan) -> Figures:
    """Rows of CPU tasks a second with no requests: in the greenlet lane, and as plain greenlets one after the other.

    They take turns within one process, as in `guard`: two of them differ by more than what this costs.
    """
    from benchmarks.apps.room import chore, room

    task = room.task(max_attempts=1, name="rows")(_rows)
    rows = warm_up(_rows, plan.seconds / 2) // TASKS

    def of_room(_: int) -> float:
        room.start()
        chore.enqueue("wait").wait()
        sleep(0.2)  # until what the start stirred up has settled
        rate = rate_of(lambda rows: _finish([task.enqueue(rows).wait for _ in range(TASKS)]), rows)
        room.stop()
        return TASKS * rate

    def of_greenlets(_: int) -> float:
        return TASKS * rate_of(lambda rows: _finish([gevent.spawn(_rows, rows).get for _ in range(TASKS)]), rows)

    ours, plain = in_turn(PAIRS, of_room, of_greenlets)
    return {"room": ours, "plain": plain}


def _rows(count: int) -> None:
    for _ in range(count):
        compute_row()


def _finish(waits: list[Callable[[], object]]) -> None:
    for wait in waits:
        wait()


@contextmanager
def _web(plan: Plan, contender: str, load: str, lane: str) -> Iterator[tuple[Server, int]]:
    os.environ["BENCHMARK_STORE"] = f"sqlite:///{plan.directory}/greenroom.db"
    os.environ["BENCHMARK_LANE"] = lane
    port = free_port()
    # Killed, not asked to end: a web process whose hub is held would not hear it, and drains have cases of their own.
    with running(plan, (*PYTHON, "benchmarks.apps.beside", contender, load, str(port)), patience=0) as server:
        try:
            first_request([server], port)
        except NoAnswerError:
            _must_live(server, plan)
            raise
        yield server, port


@contextmanager
def _worker(load: str) -> Iterator[subprocess.Popen[str]]:
    worker = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.apps.worker", load],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    try:
        worker.stdout.readline()
        yield worker
    finally:
        worker.kill()
        worker.wait()


def _begin(port: int) -> None:
    with urlopen(f"http://127.0.0.1:{port}/begin", timeout=10) as answer:
        answer.read()


def _must_live(server: Server, plan: Plan) -> None:
    """Raise what the server said when it ended, if it has."""
    if server.poll() is None:
        return
    said = Path(plan.directory, "server.log").read_text(encoding="utf-8").strip()
    if server.returncode == LACKING:
        raise Unavailable(said.splitlines()[-1])
    raise RuntimeError(f"the server ended with {server.returncode}: {said[-1000:]}")


def _voluntary_switches(pid: int) -> dict[str, int]:
    """By thread: those that end meanwhile take theirs with them."""
    statuses = {path.parent.name: path.read_text("ascii") for path in Path(f"/proc/{pid}/task").glob("*/status")}
    return {
        thread: int(line.split()[1])
        for thread, status in statuses.items()
        for line in status.splitlines()
        if line.startswith("voluntary_ctxt_switches:")
    }
