"""A job as a row of the SQLite table, and back. The columns stand in the order of the job's fields."""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Iterable
from functools import cache
from itertools import chain, starmap
from pathlib import Path
from typing import Any

from greenroom.job import SUSPICIOUS, Job, Progress, Status
from greenroom.outcome import TaskError
from greenroom.stores._fault import Unreadable

SUSPECT, READY, SCHEDULED, RUNNING = -1, 0, 1, 2
_READY, _SUCCESSFUL = Status.READY, Status.SUCCESSFUL
STATES = {
    Status.RUNNING: RUNNING,
    Status.SUCCESSFUL: 3,
    Status.FAILED: 4,
    Status.CANCELLED: 5,
}
_STATUSES = {code: status for status, code in STATES.items()} | dict.fromkeys(
    (SUSPECT, READY, SCHEDULED), Status.READY
)
Row = tuple[Any, ...]
Form = tuple[str, str]  # a statement of many rows: its file, and what one row looks like

_STATEMENTS = Path(__file__).with_name("sql") / "sqlite"
# Rows a statement. Few sizes, so that the statement cache holds them all; and one statement for up to a thousand
# rows, for with several the writer waits for the GIL between them.
_SIZES = (1, 2, 4, *range(8, 128, 8), *range(128, 256, 32), 256, 384, 512, 1024)
LARGEST_PIECE = _SIZES[-1]

NOTHING_NEW: Row = ("", "", "", 0, 0, 0, 0, 0, 0, 0)  # what new jobs share, if there are none


def state_of(job: Job, now: int) -> int:
    """The column `state`, which tells apart what the model does not: ready now, ready later, and under suspicion.

    So no claim comes across a suspect but the one that asks for it.
    """
    if job.status is Status.READY:
        if job.crashes >= SUSPICIOUS:
            return SUSPECT
        return READY if job.run_after <= now else SCHEDULED
    return STATES[job.status]


def to_row(job: Job, now: int) -> Row:
    return (*job[:11], state_of(job, now), *_moving(job))


def sort_new(jobs: Iterable[Job], now: int) -> tuple[dict[Row, list[Row]], list[Row]]:
    """The rows of new jobs: those as nearly all are, by the values that they share, and the others."""
    fresh: dict[Row, list[Row]] = {}
    others: list[Row] = []
    last: Row = ()
    rows: list[Row] = []
    for job in jobs:
        # Taken apart at one go: field by field takes twice as long.
        id_, task, payload, queue, lane, priority, most, due, expires, enqueued, context = job[:11]
        status, attempt, version, worker, started, finished, errors, result, progress, note, crashes = job[11:]
        if id_ <= 0:  # by such an id the rows are known that fill up a statement
            raise ValueError("an id is a number above 0")
        is_untouched = finished is None and not errors and result is None and progress is None and note is None
        if is_untouched and version <= 1 and attempt == version and expires is None and not crashes:
            state = READY if status is _READY and due <= now else state_of(job, now)
            shared = (task, queue, lane, priority, most, state, attempt, version, worker, started is not None)
            if shared != last:  # most are of one kind: to compare takes less than to look up
                last, rows = shared, fresh.setdefault(shared, [])
            # To bind None takes five times as long as anything else.
            rows.append((id_, payload, due, enqueued, context or "", started or 0))
        else:
            others.append(to_row(job, now))
    return fresh, others


def to_swap(old: Job, new: Job, now: int) -> Row:
    return (new.id, old.version, *new[3:9], state_of(new, now), *_moving(new))


def _as_finish(old: Job, new: Job) -> Row | None:
    """The row of a job that has succeeded, if all that changes is what success changes."""
    status, attempt, version, worker, started, finished, errors, result, progress, note, crashes = new[11:]
    if (
        status is _SUCCESSFUL
        and worker is None
        and finished is not None
        and result is not None
        and version == old.version + 1
        and new[:11] == old[:11]
        and attempt == old.attempt
        and started == old.started_at
        and errors is old.errors
        and note is old.note
        and crashes == old.crashes
    ):
        stored_progress = "" if progress is None else json.dumps(progress)
        return (new.id, result, finished, 0, stored_progress, 0, old.version)
    return None


def finishes(changes: Iterable[tuple[Job, Job]]) -> list[Row]:
    """The rows of those that are no more than a success."""
    return [row for row in starmap(_as_finish, changes) if row is not None]


def _moving(job: Job) -> Row:
    errors = json.dumps(job.errors) if job.errors else None
    progress = json.dumps(job.progress) if job.progress else None
    return (*job[12:17], errors, job.result, progress, job.note, job.crashes)


def to_job(row: Row) -> Job:
    try:
        errors = tuple(TaskError(*error) for error in json.loads(row[17])) if row[17] else ()
        progress = Progress(*json.loads(row[19])) if row[19] else None
        status = _STATUSES[row[11]]
    except (ValueError, TypeError, KeyError) as error:
        raise Unreadable(f"job {row[0]} is none: {type(error).__name__}: {error}") from error
    return Job._make((*row[:11], status, *row[12:17], errors, row[18], progress, row[20], row[21]))


def count_statuses(by_state: dict[int, int]) -> dict[Status, int]:
    counts = dict.fromkeys(Status, 0)
    for state, number in by_state.items():
        counts[_STATUSES[state]] += number
    return counts


@cache
def sql(verb: str) -> str:
    """The text of one statement file."""
    return (_STATEMENTS / f"{verb}.sql").read_text("utf-8")


@cache
def sql_of_rows(verb: str, rows: int, row: str) -> str:
    """A statement whose {rows} are that many times `row`, such as "(?, ?)"."""
    return sql(verb).replace("{rows}", ",\n".join([row] * rows))


def marks(columns: int) -> str:
    """A row of so many placeholders."""
    return "(" + ", ".join("?" * columns) + ")"


INSERT = ("insert", marks(22))
INSERT_FRESH = ("insert_fresh", marks(6))
WRITE = ("write", marks(7))
SWAP = ("swap", marks(19))


def pieces(rows: list[Row]) -> Iterable[list[Row]]:
    """The rows, as many at a time as one statement takes."""
    return (rows[start : start + LARGEST_PIECE] for start in range(0, len(rows), LARGEST_PIECE))


def bound(form: Form, piece: list[Row], shared: Row = ()) -> tuple[str, list[Any]]:
    """A statement for these rows, of a size that one is kept for, and its values; what the rows share comes last."""
    verb, row = form
    size = _SIZES[bisect_left(_SIZES, len(piece))]
    filler = [0] * (len(piece[0]) * (size - len(piece)))  # rows of no job: no id is 0
    return sql_of_rows(verb, size, row), [*chain.from_iterable(piece), *filler, *shared]
