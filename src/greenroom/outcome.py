"""An outcome: what one attempt came to. Nothing else settles a job."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


class TaskError(NamedTuple):
    """What went wrong in one attempt, as text: a stored error is shown, never revived."""

    attempt: int
    exception_class_path: str
    message: str
    traceback: str
    at: int


@dataclass(frozen=True, slots=True)
class Succeeded:
    """The function returned; `value` as the codec encoded it."""

    value: object


@dataclass(frozen=True, slots=True)
class Retried:
    """It went wrong and may be tried again at `run_after`, if attempts are left."""

    run_after: int
    error: TaskError


@dataclass(frozen=True, slots=True)
class Failed:
    """It went wrong for good."""

    error: TaskError


@dataclass(frozen=True, slots=True)
class Cancelled:
    """Somebody, or the task itself, called it off."""

    reason: str


@dataclass(frozen=True, slots=True)
class Released:
    """Given back unfinished through no fault of its own: costs no attempt."""

    run_after: int
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Crashed:
    """Its process died while it ran. The `allowed`-th time it is quarantined."""

    error: TaskError
    allowed: int


Outcome = Succeeded | Retried | Failed | Cancelled | Released | Crashed
