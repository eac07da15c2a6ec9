"""What is wanted: the jobs that `room.find` is to look for, as a store understands it."""

from __future__ import annotations

from typing import Any, NamedTuple

from greenroom import _check
from greenroom._ids import id_in
from greenroom.errors import InvalidOption
from greenroom.job import Status
from greenroom.result import TaskResult
from greenroom.task import Task

_MOST = 1_000_000


class Wanted(NamedTuple):
    """Jobs that are all of this; None is whatever it may be."""

    status: Status | None
    task: str | None
    queue_name: str | None
    crashed: bool
    before: int | None
    limit: int


def wanted(
    *, status: object, task: object, queue_name: str | None, crashed: bool, before: object, limit: int
) -> Wanted:
    """Make one of what people say: a task or its name, a status or its name. Raises InvalidOption."""
    if queue_name is not None:
        _check.name("queue_name", queue_name)
    _check.flag("crashed", crashed)
    _check.whole("limit", limit, 1, _MOST)
    return Wanted(
        status=None if status is None else _status(status),
        task=None if task is None else _task(task),
        queue_name=queue_name,
        crashed=crashed,
        before=None if before is None else _before(before),
        limit=limit,
    )


def _status(value: Any) -> Status:
    try:
        return Status(value)
    except ValueError:
        known = ", ".join(f"Status.{status.name}" for status in Status)
        raise InvalidOption(f"status={value!r} is not known: use one of {known}, or its name.") from None


def _task(value: object) -> str:
    if isinstance(value, Task):
        return value.name
    if not isinstance(value, str):
        raise InvalidOption(
            f"task={value!r} is neither a task nor its name: write task=send_mail, or task='app.send_mail'."
        )
    _check.name("task", value)
    return value


def _before(value: object) -> int:
    result_id = value.id if isinstance(value, TaskResult) else value
    number = id_in(result_id) if isinstance(result_id, str) else None
    if number is None:
        raise InvalidOption(
            f"before={value!r} is neither a durable result nor its id: give the last of those found before, "
            "before=results[-1]."
        )
    return number
