"""Memory as the kernel counts it: resident for a difference, proportional for a whole stack."""

from __future__ import annotations

import gc
import os
from pathlib import Path


def resident() -> int:
    """Bytes resident in this process, after a collection."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")


def proportional(pid: int) -> int:
    """Bytes of a process and its descendants, each shared page divided among those that share it."""
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
    own = next(int(line.split()[1]) * 1024 for line in rollup.splitlines() if line.startswith("Pss:"))
    return own + sum(proportional(child) for child in _children(pid))


def processes(pid: int) -> int:
    return 1 + sum(processes(child) for child in _children(pid))


def _children(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return [int(child) for task in tasks for child in (task / "children").read_text(encoding="ascii").split()]
