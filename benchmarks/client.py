"""The client: an open-loop visitor, compiled if there is a compiler, and what it saw of a server."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from benchmarks.load import quantile

SOURCE = Path(__file__).with_name("openloop.c")
COMPILED = "openloop"
CHOICE = "GREENROOM_BENCH_CLIENT"  # "python" for the twin although there is a compiler

RATE = 200.0  # requests a second
CONNECTIONS = 64
LEAD = 0.5  # seconds of requests that are not counted
GRACE = 0.5  # seconds that the last answers are waited for


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """How late each answer came, in seconds from when its request was due; and what never came."""

    latencies: list[float]
    own: list[float]  # how late the client was itself
    unanswered: int
    failed: int

    def figures(self, seconds: float) -> dict[str, float]:
        """What was not answered counts as at least as late as the measurement lasted."""
        lost = self.unanswered + self.failed
        worst = max([seconds, *self.latencies])
        latencies = self.latencies + [worst] * lost
        return {
            "p50": quantile(latencies, 0.5),
            "p99": quantile(latencies, 0.99),
            "p999": quantile(latencies, 0.999),
            "max": max(latencies),
            "requests": len(latencies),
            "unanswered": lost,
            "own_p99": quantile(self.own, 0.99) if self.own else 0.0,
        }


def build(folder: str | Path) -> Path | None:
    """Compile the client into `folder`; None if that cannot be done here."""
    compiler = shutil.which("cc")
    if compiler is None or os.environ.get(CHOICE) == "python":
        return None
    target = Path(folder, COMPILED)
    run = subprocess.run([compiler, "-O2", "-o", target, SOURCE], capture_output=True, check=False, timeout=60)
    return target if run.returncode == 0 else None


def described() -> str:
    """Which client there is: for the line above the table."""
    with tempfile.TemporaryDirectory(prefix="greenroom-bench-") as folder:
        kind = "compiled from C" if build(folder) else "in Python: figures below 1 ms are in part its own"
    return f"requests: open loop, {RATE:.0f}/s over {CONNECTIONS} connections, by a client {kind}"


def visit(folder: str | Path, port: int, seconds: float, *, rate: float = RATE, lead: float = LEAD) -> Seen:
    """Ask for `lead` and then `seconds`, with the client that was built in `folder`, or with the twin."""
    built = Path(folder, COMPILED)
    program = [str(built)] if built.exists() else [sys.executable, "-m", "benchmarks.openloop"]
    run = subprocess.run(
        [*program, *map(str, (port, rate, lead, seconds, GRACE, CONNECTIONS))],
        stdout=subprocess.PIPE,
        check=True,
        timeout=lead + seconds + GRACE + 60,  # connecting to a frozen server takes a second for each connection
        cwd=Path(__file__).parents[1],
    )
    return Seen(**json.loads(run.stdout))
