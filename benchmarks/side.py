"""A side: one of the things compared, measured in a fresh process that prints one JSON line.

Fresh, because monkey patching, allocator arenas and warm greenlet stacks outlive the code that caused them.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import asdict, dataclass

PATIENCE = 300.0  # seconds for one measurement, preparation of a million jobs included

Figures = dict[str, float]


class Unavailable(Exception):
    """What a side raises when it cannot be measured here; the text says what to install."""


class Broken(Exception):
    """A side that crashed, hung or printed no figures."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How long and how much: handed to every measurement."""

    seconds: float = 1.5  # length of a timed region
    scale: float = 1.0  # of counts that are fixed, such as a million jobs
    directory: str = ""  # belongs to this measurement alone, removed after it
    shared: str = ""  # belongs to the case: what its preparation left behind

    def of(self, count: int) -> int:
        return max(1, round(count * self.scale))


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """A name for the table and a `module:function` under `benchmarks.sides`, with words for it if it takes any."""

    name: str
    target: str

    def measure(self, plan: Plan) -> Figures:
        """Run it to the end, and leave no process of it behind."""
        child = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.child", self.target, json.dumps(asdict(plan))],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        try:
            out, err = child.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            raise Broken(f"no figures after {PATIENCE:.0f} s") from None
        finally:
            # The group, not the child alone: servers that a side started are in it too.
            with suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            child.wait()
        return self._figures(child.returncode, out, err)

    def _figures(self, code: int, out: str, err: str) -> Figures:
        last = (out.strip().splitlines() or [""])[-1]
        if code != 0 or not last.startswith("{"):
            raise Broken("\n".join([f"exit {code}", *err.strip().splitlines()[-12:]]))
        said = json.loads(last)
        if "unavailable" in said:
            raise Unavailable(said["unavailable"])
        return {key: float(value) for key, value in said.items()}
