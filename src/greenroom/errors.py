"""What can go wrong, as one tree. Every message names the thing, the reason and the remedy.

GreenroomError
├── InvalidTask              a task that cannot be declared so          (TypeError)
├── InvalidOption            an option with a value it cannot have      (ValueError)
├── InvalidArguments         arguments that do not fit the function     (TypeError)
├── InvalidPayload           values that cannot be stored and restored  (ValueError)
├── UnknownSchedule          no schedule of that name                   (LookupError)
├── NotRunning               what needs a started room, or a task       (RuntimeError)
├── ProcessDied              a process that died while it ran a task    (RuntimeError)
├── TaskProcessError         stands in for an exception of a process    (RuntimeError)
├── StoreError               where jobs live cannot do what was asked   (RuntimeError)
│   ├── StoreUnavailable     closed, unreadable, locked, or one of these
│   │   ├── StoreFull        no room on the disk: recorded is what runs, and nothing new is taken
│   │   ├── StoreReadOnly    nobody can write there
│   │   ├── StoreBusy        another process is in a transaction, and does not get on with it
│   │   ├── StoreGone        the file was deleted, moved or replaced while it was in use
│   │   └── StoreCorrupt     the file is damaged, and not used any more
│   ├── NewerSchema          written by a later greenroom
│   └── LeaseLost            this process was declared dead; others have its jobs
└── ResultError              a result that is not there to be had
    ├── UnknownResult        no job of that id                          (LookupError)
    ├── NotSuccessful        return_value of what has not succeeded     (ValueError)
    └── WaitTimeout          it did not finish in time                  (TimeoutError)

What a task may raise to say how its attempt ends is not an error and stands apart: Retry, Snooze, Cancel. So does
ShuttingDown, which is raised in a task that asked to be interrupted when its process is to end.
"""

from __future__ import annotations

from datetime import timedelta

_CENTURY = timedelta(days=365 * 100).total_seconds()


class GreenroomError(Exception):
    """Anything that greenroom itself raises."""


class InvalidTask(GreenroomError, TypeError):
    """A task that cannot be declared so."""


class InvalidOption(GreenroomError, ValueError):
    """An option with a value that it cannot have."""


class InvalidArguments(GreenroomError, TypeError):
    """Arguments that do not fit the task's function."""


class InvalidPayload(GreenroomError, ValueError):
    """Values that cannot be stored and come back as they were."""


class UnknownSchedule(GreenroomError, LookupError):
    """No schedule has that name: it was removed, or never was."""


class NotRunning(GreenroomError, RuntimeError):
    """Asked outside of a task, or of a room that is not started."""


class ProcessDied(GreenroomError, RuntimeError):
    """The process that ran a task died, or was killed: of a crash, an exit, or its memory."""


class TaskProcessError(GreenroomError, RuntimeError):
    """Stands in for what a task raised in a process, if that cannot be sent to this one."""

    def __init__(self, class_path: str, message: str) -> None:
        super().__init__(class_path, message)
        self.class_path = class_path
        self.message = message

    def __str__(self) -> str:
        return f"{self.class_path}: {self.message}"


class StoreError(GreenroomError, RuntimeError):
    """The place where jobs live cannot do what was asked."""


class StoreUnavailable(StoreError):
    """The store is closed, unreadable, locked, or in a trouble that has a name of its own."""


class StoreFull(StoreUnavailable):
    """There is no room on the disk. What runs is recorded all the same, and nothing new is taken until there is."""


class StoreReadOnly(StoreUnavailable):
    """Nobody can write where the store is."""


class StoreBusy(StoreUnavailable):
    """Another process is in the middle of a transaction, and does not get on with it: it was stopped, perhaps."""


class StoreGone(StoreUnavailable):
    """The store's file was deleted, moved or replaced while it was in use."""


class StoreCorrupt(StoreUnavailable):
    """The store's file is damaged. It is left as it is, and not used any more."""


class NewerSchema(StoreError):
    """The store was written by a later version of greenroom."""


class LeaseLost(StoreError):
    """This process was declared dead, and its jobs were given to others."""


class ResultError(GreenroomError):
    """A result that is not there to be had."""


class UnknownResult(ResultError, LookupError):
    """No job has that id, or it was pruned."""


class NotSuccessful(ResultError, ValueError):
    """There is no return value: the task has not finished, failed, or was cancelled."""


class WaitTimeout(ResultError, TimeoutError):
    """The task did not finish in the time given."""


class Verdict(Exception):
    """Raised in a task to say how its attempt ends."""


class Retry(Verdict):
    """Try again, in `after` (timedelta or seconds; the task's own backoff if not given); costs an attempt."""

    def __init__(self, reason: object = "", *, after: timedelta | float | None = None) -> None:
        super().__init__(_reason("Retry", reason) or "retry asked for by the task")
        if after is not None:
            _check_length("Retry", after)
        self.after = after


class Snooze(Verdict):
    """Put the job back for this long (timedelta or seconds); costs no attempt."""

    def __init__(self, after: timedelta | float) -> None:
        super().__init__(f"snoozed for {after}")
        _check_length("Snooze", after)
        self.after = after

    def __reduce__(self) -> tuple[type[Snooze], tuple[timedelta | float]]:
        return Snooze, (self.after,)  # it is not made of its message


class Cancel(Verdict):
    """Stop for good: no retry, status CANCELLED, with the reason kept."""

    def __init__(self, reason: object = "") -> None:
        super().__init__(_reason("Cancel", reason) or "cancelled by the task")


class ShuttingDown(BaseException):
    """The process is to end, and the task, which asked for it, ends here: it is released, at no cost to it.

    Not an Exception, so that a careless `except` lets it pass.
    """

    def __init__(self, message: str = "the process is to end, and this task is interrupted") -> None:
        super().__init__(message)


def _reason(verdict: str, reason: object) -> str:
    """Its text, which may be that of an error. Raises InvalidOption for what is meant for a length of time."""
    # Retry(60), by analogy with Snooze(60), would be tried again when the backoff says, for the reason "60".
    if isinstance(reason, int | float | timedelta):
        remedy = f"Retry(after={reason!r})" if verdict == "Retry" else f"{verdict}(str(...))"
        raise InvalidOption(
            f"{verdict}({reason!r}): what stands first is the reason, and this is of type {type(reason).__name__}. "
            f"Write {remedy}."
        )
    return "" if reason is None else str(reason)


def _check_length(verdict: str, after: object) -> None:
    # Refused where it is written, in the task: whoever judges the attempt could make nothing of it.
    seconds = after.total_seconds() if isinstance(after, timedelta) else after
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds < _CENTURY:
        raise InvalidOption(
            f"{verdict}: after={after!r} is no length of time: use a timedelta or seconds, 0 or more."
        )
