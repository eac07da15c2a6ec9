"""Findings: what `greenroom doctor` has to say, one thing at a time."""

from __future__ import annotations

import os
import platform
import shutil
import sqlite3
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

from greenroom import _where
from greenroom._alarm import Alarm, NoAlarm
from greenroom.app import Greenroom
from greenroom.cli._glance import LATELY, Due, Glance, Worker
from greenroom.clock import SECOND
from greenroom.errors import InvalidOption, StoreError
from greenroom.job import Status
from greenroom.lanes import _inside
from greenroom.stores import SqliteStore
from greenroom.stores._file import SCHEMA

_LITTLE = 100_000_000  # bytes of free disk space, below which it is time to say so
_LONG = 60  # seconds that a job may be due for, behind others
_NETWORKS = ("nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "fuse.sshfs", "afs", "ceph", "glusterfs", "fuse.glusterfs")
_MOUNTS = Path("/proc/self/mounts")
_START = "Start the app: greenroom serve MODULE:APP. Without one: a script that calls room.start(), and stays."


class Finding(NamedTuple):
    """One thing about one topic; with a remedy, if it is not as it should be."""

    topic: str
    text: str
    remedy: str | None = None


def versions() -> Mapping[str, str]:
    """What this runs on."""
    found = {"greenroom": version("greenroom"), "Python": platform.python_version()}
    found |= {name: version(name) for name in ("gevent", "greenlet")}
    return {**found, "SQLite": sqlite3.sqlite_version}


def of_the_process(environ: Mapping[str, str]) -> Iterator[Finding]:
    """Where a room starts in this environment, and whether tasks can be pre-empted here."""
    try:
        serving = _where.decide(_where.Facts(argv=("greenroom", "serve"), environ=environ))
    except InvalidOption as error:
        yield Finding("where", str(error), f"Set {_where.SAYS} to 0 or 1, or not at all.")
    else:
        runs = "runs" if serving.starts else "does not run"
        yield Finding("where", f"`greenroom serve` {runs} tasks in this environment: {serving.reason}")
        here = _where.here(is_lane_child=_inside.is_child)
        runs = "would start" if here.starts else "does not start"
        yield Finding("where", f"in this process a room {runs}: {here.reason} (docs/where-it-starts.md)")
    try:
        alarm = Alarm(lambda *_: None, lambda: None)
    except NoAlarm as reason:
        yield Finding("preemption", f"off: {reason}", "Tasks that compute hold up requests: give them another lane.")
    else:
        alarm.close()
        yield Finding("preemption", f"possible, by {alarm.means}")


def of_the_room(room: Greenroom) -> Iterator[Finding]:
    """What the app has declared."""
    lanes = " ".join(f"{lane}={size}" for lane, size in room.lanes.items())
    yield Finding("room", f"{_many(len(room.tasks), 'task')}, lanes {lanes}")
    if not room.preempts:
        yield Finding("preemption", "turned off for this room: Greenroom(preempt=False)")


def of_the_file(store: SqliteStore) -> Iterator[Finding]:
    """Whether the file can be used, and what it lies on."""
    path, folder = store.path, store.path.parent
    if not folder.is_dir():
        yield Finding("store", f"{store.url}: there is no folder {folder}", "Make it, or name another.")
        return
    for place in (folder, *([path] if path.exists() else ())):
        if not os.access(place, os.R_OK | os.W_OK):
            yield Finding(
                "store", f"{place} cannot be written to by this user", "Let the app's user write there, or run as it."
            )
    free = shutil.disk_usage(folder).free
    remedy = "Make room before enqueue() fails." if free < _LITTLE else None
    yield Finding("store", f"{free / 1e6:,.0f} MB are free on its disk", remedy)
    kind = _file_system(folder, _MOUNTS.read_text() if _MOUNTS.exists() else "")
    if kind in _NETWORKS:
        yield Finding(
            "store",
            f"it lies on a network file system ({kind}), where SQLite's locks do not hold",
            "Keep it on a disk of this machine.",
        )


def of_what_is_stored(store: SqliteStore) -> Iterator[Finding]:
    """What the file holds. It is only read, so that a server that runs on it is not disturbed."""
    if not store.path.exists():
        yield Finding(
            "store", f"{store.url} (durability {store.durability}): not there yet, made when it is first used"
        )
        return
    try:
        with Glance(store.path) as glance:
            yield from _of_the_schema(glance, store)
            workers = glance.workers()
            yield from _of_workers(workers)
            yield from _of_jobs(glance)
            yield from _of_what_is_due(glance.due(), is_anybody_here=any(it.state == "alive" for it in workers))
    except StoreError as error:
        yield Finding("store", str(error), "See above for what to do; the jobs are in the file.")


def _of_the_schema(glance: Glance, store: SqliteStore) -> Iterator[Finding]:
    size = store.path.stat().st_size / 1e6
    text = f"{store.url} (durability {store.durability}, schema {glance.schema}, {size:,.1f} MB)"
    if glance.schema > SCHEMA:
        remedy = f"This greenroom knows schemas up to {SCHEMA}: upgrade it, or name another file."
        yield Finding("store", text, remedy)
    else:
        yield Finding("store", text if glance.schema == SCHEMA else f"{text}: brought up to date when next opened")


def _of_workers(workers: list[Worker]) -> Iterator[Finding]:
    if not workers:
        yield Finding("workers", "no process has the store open")
    for worker in workers:
        who = f"worker {worker.id} (process {worker.pid} on {worker.host}) is {worker.state}"
        match worker.state:
            case "stalled":
                remedy = "It lives, but has not renewed its lease: see what holds it (its log names it), or end it."
                yield Finding("workers", who, remedy)
            case "dead":
                yield _of_the_dead(worker, who)
            case _:
                yield Finding("workers", who)


def _of_the_dead(worker: Worker, who: str) -> Finding:
    jobs = f"{who}: {_many(worker.jobs, 'job')} that it ran"
    if worker.has_lease:
        return Finding("workers", f"{jobs} will be taken up by the next process that looks")
    return Finding("workers", f"{jobs} {_has(worker.jobs)} not been taken up since", _START)


def _of_what_is_due(due: Due, *, is_anybody_here: bool) -> Iterator[Finding]:
    """Whoever has the file open may run tasks, or only enqueue: that is told by whether jobs are taken."""
    if not due.jobs:
        return
    if not is_anybody_here:
        yield Finding("jobs", f"{_many(due.jobs, 'job')} {_is(due.jobs)} due, and nobody runs tasks", _START)
        return
    waiting = f"{_many(due.jobs, 'job')} {_has(due.jobs)} been due for up to {_span(due.seconds)}"
    if not due.has_takers and due.seconds >= LATELY / SECOND:
        yield Finding(
            "jobs",
            f"{waiting}, and no process takes {'it' if due.jobs == 1 else 'them'}",
            "Is the room started in any of those that have the store open? Not with GREENROOM_RUN=0, in a test or a "
            "shell (docs/where-it-starts.md). If it is, its log and /healthz say what keeps it.",
        )
    elif due.seconds >= _LONG:
        yield Finding(
            "jobs",
            f"{waiting}, behind others",
            "room.find(status=Status.RUNNING) lists what runs. If that is as it should be, give the lane more slots "
            "(Greenroom(lanes=...)), or start more processes.",
        )


def _of_jobs(glance: Glance) -> Iterator[Finding]:
    counts = glance.counts()
    yield Finding("jobs", ", ".join(f"{number} {status}" for status, number in counts.items()))
    for task, reason, number in glance.parked():
        yield Finding(
            "jobs",
            f"{number} of task {task} {_is(number)} parked: {reason}",
            "If it was renamed: @room.task(names=[the old name]). If its signature has changed: accept the old too.",
        )
    for task, number in glance.quarantined():
        yield Finding(
            "jobs",
            f"{number} of task {task} {_is(number)} quarantined: "
            + ("its processes died while it ran" if number == 1 else "their processes died while they ran"),
            'Mend the task, or declare it with lane="process"; then result.retry().',
        )
    if failed := counts[Status.FAILED]:
        yield Finding(
            "jobs",
            f"{failed} {_has(failed)} failed, and {_is(failed)} kept: room.find(status=Status.FAILED) lists what "
            "failed, with its errors, and result.retry() runs it again",
        )


def _many(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _is(number: int) -> str:
    return "is" if number == 1 else "are"


def _has(number: int) -> str:
    return "has" if number == 1 else "have"


def _span(seconds: float) -> str:
    for length, unit in (86_400, "days"), (3_600, "h"), (60, "min"):
        if seconds >= 2 * length:
            return f"{seconds // length:.0f} {unit}"
    return f"{seconds:.0f} s"


def _file_system(folder: Path, mounts: str) -> str:
    """The kind of file system that a folder lies on; "" where that is not told."""
    best, kind = -1, ""
    for line in mounts.splitlines():
        _, place, name, *_ = line.split(" ")
        mounted = Path(place.replace("\\040", " "))
        if folder.is_relative_to(mounted) and len(mounted.parts) > best:
            best, kind = len(mounted.parts), name
    return kind
