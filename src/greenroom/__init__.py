"""Background work inside the web app's own process: durable, pre-empted, watched."""

from greenroom.app import Greenroom
from greenroom.backoff import Backoff, constant, exponential, linear
from greenroom.clock import Clock, ManualClock, SystemClock
from greenroom.context import baggage, request_id
from greenroom.errors import (
    Cancel,
    GreenroomError,
    InvalidArguments,
    InvalidOption,
    InvalidPayload,
    InvalidTask,
    LeaseLost,
    NewerSchema,
    NotRunning,
    NotSuccessful,
    ProcessDied,
    ResultError,
    Retry,
    ShuttingDown,
    Snooze,
    StoreBusy,
    StoreCorrupt,
    StoreError,
    StoreFull,
    StoreGone,
    StoreReadOnly,
    StoreUnavailable,
    TaskProcessError,
    UnknownResult,
    UnknownSchedule,
    WaitTimeout,
)
from greenroom.job import Progress, Status
from greenroom.lanes import LaneState, Processes
from greenroom.monitor import Blocker, Lag, Monitor, Preemption
from greenroom.outcome import TaskError
from greenroom.result import TaskResult
from greenroom.schedule import Schedule, cron, every
from greenroom.signals import loop_blocked, task_enqueued, task_finished, task_retried, task_started
from greenroom.task import Prepared, Task
from greenroom.timetable import Scheduled, Timetable
from greenroom.track import checkpoint, track

__all__ = [
    "Backoff",
    "Blocker",
    "Cancel",
    "Clock",
    "Greenroom",
    "GreenroomError",
    "InvalidArguments",
    "InvalidOption",
    "InvalidPayload",
    "InvalidTask",
    "Lag",
    "LaneState",
    "LeaseLost",
    "ManualClock",
    "Monitor",
    "NewerSchema",
    "NotRunning",
    "NotSuccessful",
    "Preemption",
    "Prepared",
    "ProcessDied",
    "Processes",
    "Progress",
    "ResultError",
    "Retry",
    "Schedule",
    "Scheduled",
    "ShuttingDown",
    "Snooze",
    "Status",
    "StoreBusy",
    "StoreCorrupt",
    "StoreError",
    "StoreFull",
    "StoreGone",
    "StoreReadOnly",
    "StoreUnavailable",
    "SystemClock",
    "Task",
    "TaskError",
    "TaskProcessError",
    "TaskResult",
    "Timetable",
    "UnknownResult",
    "UnknownSchedule",
    "WaitTimeout",
    "baggage",
    "checkpoint",
    "constant",
    "cron",
    "every",
    "exponential",
    "linear",
    "loop_blocked",
    "request_id",
    "task_enqueued",
    "task_finished",
    "task_retried",
    "task_started",
    "track",
]
