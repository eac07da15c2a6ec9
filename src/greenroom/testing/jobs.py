"""Jobs and marks for tests: say what matters, and the rest is filled in."""

from __future__ import annotations

from itertools import count
from typing import Any

from greenroom._ids import id_at
from greenroom.clock import ManualClock
from greenroom.job import Job, Progress, Status
from greenroom.outcome import TaskError
from greenroom.stores.base import Mark

NOON = ManualClock().now()  # when a ManualClock begins

_ids = count(id_at(NOON))


def a_job(**changes: Any) -> Job:
    """A job that is due at NOON, newer than every job made before it."""
    job = Job(
        id=next(_ids),
        task="app.send",
        payload='[["Ada"], {}]',
        queue_name="default",
        lane="greenlet",
        priority=0,
        max_attempts=3,
        run_after=NOON,
        expires_at=None,
        enqueued_at=NOON,
    )
    return job._replace(**changes)


def a_finished_job(**changes: Any) -> Job:
    """A job with something in every field: it failed once, and was successful at NOON."""
    job = a_job(
        expires_at=NOON + 5,
        context='{"trace": "00-4bf9"}',
        status=Status.SUCCESSFUL,
        attempt=2,
        version=4,
        started_at=NOON - 2,
        finished_at=NOON,
        errors=(an_error(),),
        result='{"sent": true}',
        progress=Progress(2.5, 10.0, "rows"),
        note="as asked",
        crashes=1,
    )
    return job._replace(**changes)


def an_error(**changes: Any) -> TaskError:
    """What went wrong in the first attempt."""
    error = TaskError(
        attempt=1,
        exception_class_path="builtins.OSError",
        message="no route to host",
        traceback="Traceback (most recent call last): ...",
        at=NOON - 1,
    )
    return error._replace(**changes)


def a_mark(**changes: Any) -> Mark:
    """Where a schedule stands of which nothing has been enqueued."""
    mark = Mark(name="app.send", slot=None, course="[]", definition='{"every": 60}')
    return mark._replace(**changes)
