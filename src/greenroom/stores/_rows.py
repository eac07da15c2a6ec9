"""A job as a row of the SQLite table, and back. The columns stand in the order of the job's fields."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Any

from greenroom.job import Job, Progress, Status
from greenroom.outcome import TaskError

READY, SCHEDULED, RUNNING = 0, 1, 2
STATES = {
    Status.RUNNING: RUNNING,
    Status.SUCCESSFUL: 3,
    Status.FAILED: 4,
    Status.CANCELLED: 5,
}
_STATUSES = {code: status for status, code in STATES.items()} | dict.fromkeys((READY, SCHEDULED), Status.READY)
_CHUNKS = (256, 64, 16, 4, 1)  # few sizes, so that the statement cache holds them all

Row = tuple[Any, ...]


def state_of(job: Job, now: int) -> int:
    """The column `state`, which tells apart what the model does not: ready now, and ready later."""
    if job.status is Status.READY:
        return READY if job.run_after <= now else SCHEDULED
    return STATES[job.status]


def to_row(job: Job, now: int) -> Row:
    return (*job[:11], state_of(job, now), *_moving(job))


def to_swap(old: Job, new: Job, now: int) -> Row:
    return (new.id, old.version, *new[3:9], state_of(new, now), *_moving(new))


def is_finish(old: Job, new: Job) -> bool:
    """Whether all that `new` changes is what success changes."""
    return (
        new.status is Status.SUCCESSFUL
        and new.version == old.version + 1
        and new.worker is None
        and new[3:10] == old[3:10]
        and new.attempt == old.attempt
        and new.started_at == old.started_at
        and new.errors is old.errors
        and new.note is old.note
    )


def to_finish(old: Job, new: Job) -> Row:
    progress = json.dumps(new.progress) if new.progress else None
    return (new.id, old.version, new.finished_at, new.result, progress)


def _moving(job: Job) -> Row:
    errors = json.dumps(job.errors) if job.errors else None
    progress = json.dumps(job.progress) if job.progress else None
    return (*job[12:17], errors, job.result, progress, job.note)


def to_job(row: Row) -> Job:
    errors = tuple(TaskError(*error) for error in json.loads(row[17])) if row[17] else ()
    progress = Progress(*json.loads(row[19])) if row[19] else None
    return Job._make((*row[:11], _STATUSES[row[11]], *row[12:17], errors, row[18], progress, row[20]))


def count_statuses(by_state: dict[int, int]) -> dict[Status, int]:
    counts = dict.fromkeys(Status, 0)
    for state, number in by_state.items():
        counts[_STATUSES[state]] += number
    return counts


@cache
def sql(verb: str) -> str:
    """The text of one statement file."""
    return (files("greenroom.stores") / "sql" / "sqlite" / f"{verb}.sql").read_text("utf-8")


@cache
def sql_of_rows(verb: str, rows: int, columns: int) -> str:
    """A statement whose {rows} are that many rows of placeholders."""
    row = "(" + ", ".join("?" * columns) + ")"
    return sql(verb).replace("{rows}", ",\n".join([row] * rows))


def chunks(rows: list[Row]) -> list[list[Row]]:
    """The rows in pieces of the sizes that statements are kept for."""
    pieces, start = [], 0
    for size in _CHUNKS:
        while len(rows) - start >= size:
            pieces.append(rows[start : start + size])
            start += size
    return pieces
