"""The machine and what is installed on it: without these no figure means anything."""

from __future__ import annotations

import os
import platform
import sqlite3
import tempfile
from importlib.metadata import PackageNotFoundError, version
from statistics import median
from time import perf_counter

from benchmarks.unit import MILLISECONDS

PACKAGES = ("greenroom", "gevent", "greenlet", "huey", "flask", "gunicorn")
SYNCS = 50


def described() -> str:
    """One line. A disk that is slow or busy, and a high load, spoil the bars that are not ratios."""
    sync = MILLISECONDS.write(_sync_time())
    hardware = f"{os.cpu_count()} cores at load {os.getloadavg()[0]:.1f}, a disk that syncs in {sync}"
    python = f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}"
    return ", ".join([hardware, python, *(f"{name} {_version(name)}" for name in PACKAGES)])


def _sync_time() -> float:
    """What one durable commit cannot be faster than."""
    taken = []
    with tempfile.TemporaryFile() as file:
        for _ in range(SYNCS):
            file.write(bytes(4096))
            file.flush()
            started = perf_counter()
            os.fdatasync(file.fileno())
            taken.append(perf_counter() - started)
    return median(taken)


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "(not installed)"
