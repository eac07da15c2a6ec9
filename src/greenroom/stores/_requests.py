"""What is asked of the writing thread: new jobs, new versions of jobs, or anything else; and how it is refused."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from greenroom.errors import StoreError, StoreUnavailable
from greenroom.job import Job
from greenroom.stores._desk import Request

T = TypeVar("T")
Change = tuple[Job, Job]  # old, new

# What is wrong with one request, and no reason to refuse the others of its batch.
UNSTORABLE = (
    sqlite3.IntegrityError,
    sqlite3.DataError,
    sqlite3.InterfaceError,
    sqlite3.ProgrammingError,
    ValueError,
    OverflowError,
    TypeError,
)


class Add(Request[None]):
    """New jobs to write."""

    needs_room = True
    answer = None

    def __init__(self, jobs: Sequence[Job]) -> None:
        self.jobs = jobs


class Swap(Request[list[bool]]):
    """Versions of jobs to put in the place of others."""

    needs_room = False

    def __init__(self, changes: Sequence[Change]) -> None:
        self.changes = changes


class Call(Request[T]):
    """Anything else, to be done inside the transaction, after the other two."""

    # A claim keeps slots reserved until it is answered, and those who enqueue next would find none free.
    is_urgent = True

    def __init__(self, work: Callable[[], T], *, needs_room: bool = False) -> None:
        self.work = work
        self.needs_room = needs_room


def without_twins(requests: list[Swap]) -> list[list[tuple[Swap, Job, Job]]]:
    """Groups in which no job comes twice: of two swaps of one job, the second must see what the first did."""
    groups: list[list[tuple[Swap, Job, Job]]] = [[]]
    seen: set[int] = set()
    for request in requests:
        for old, new in request.changes:
            if new.id in seen:
                groups.append([])
                seen.clear()
            seen.add(new.id)
            groups[-1].append((request, old, new))
    return groups


def refuse(batch: list[Request[Any]], error: StoreError) -> None:
    for request in batch:
        request.error = error


def without_new(batch: list[Request[Any]], error: StoreUnavailable) -> list[Any]:
    """Refuse what would bring new work, and give the rest."""
    requests: list[Any] = batch
    refuse([request for request in requests if request.needs_room], error)
    return [request for request in requests if not request.needs_room]


def unstorable(error: Exception, request: Request[Any]) -> StoreError:
    match request:
        case Add(jobs=[job]):
            what = f"job {job.id}"
        case Add(jobs=jobs):
            what = f"{len(jobs)} jobs, among them {[job.id for job in jobs[:3]]},"
        case Swap(changes=[(_, job)]):
            what = f"job {job.id}"
        case Swap(changes=changes):
            what = f"{len(changes)} outcomes, among them {[new.id for _, new in changes[:3]]},"
        case _:
            what = "what was asked for"
    if isinstance(error, sqlite3.IntegrityError):
        return StoreError(f"{what} cannot be stored: {error}. An id is used once: make a new one.")
    return StoreError(f"{what} cannot be stored: {error}. Text must be Unicode, and numbers fit 64 bits.")
