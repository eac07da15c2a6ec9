"""A task: a function that can be run later, elsewhere, and again.

Frozen; it is still callable as the plain function. What can be wrong with a declaration is refused where it is
made, and what can be wrong with arguments where they are enqueued: not at night, in a log.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Generic, Literal, NamedTuple, ParamSpec, Protocol, TypeVar, get_args

from greenroom import _check
from greenroom.backoff import Backoff, exponential
from greenroom.clock import When
from greenroom.errors import InvalidArguments
from greenroom.result import TaskResult

P = ParamSpec("P")
T = TypeVar("T")

OnDrain = Literal["finish", "interrupt"]
MAX_CRASHES = 3  # as many as make sure that it is the job's own doing: the last time it ran alone
MAX_ATTEMPTS = 3  # more than one by default: a job that a crash interrupted has to be able to start again


class Prepared(NamedTuple):
    """A call that is ready to be enqueued, alone or among others."""

    task: Task[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]


def prepared(calls: Iterable[Prepared]) -> Iterator[Prepared]:
    """Each of these. Raises InvalidArguments for what is none."""
    if not isinstance(calls, Iterable):
        raise _not_prepared(calls)
    for call in calls:
        if not isinstance(call, Prepared):
            raise _not_prepared(call)
        yield call


def _not_prepared(value: object) -> InvalidArguments:
    return InvalidArguments(
        f"room.enqueue_many() takes calls made by task.prepare(...), and {value!r} is none: write "
        "room.enqueue_many([task.prepare(1), task.prepare(2)]). This call has enqueued nothing."
    )


class Room(Protocol):
    """What a task needs of its room."""

    def enqueue(self, task: Task[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> TaskResult[Any]:
        """Make a job of it."""


@dataclass(frozen=True, kw_only=True)
class Task(Generic[P, T]):
    """Made by `@room.task(...)`, which says what each option means."""

    func: Callable[P, T]
    accept: Callable[..., object]  # raises TypeError for arguments that `func` could not be called with
    room: Room
    name: str
    aliases: tuple[str, ...] = ()
    queue_name: str = "default"
    priority: int = 0
    max_attempts: int = MAX_ATTEMPTS
    max_crashes: int = MAX_CRASHES
    backoff: Backoff = exponential()  # noqa: RUF009  (frozen)
    retry_on: tuple[type[BaseException], ...] = (Exception,)
    timeout: timedelta | None = None
    expires: When | None = None
    run_after: When | None = None
    lane: str = "greenlet"
    durable: bool = True
    preempt: bool = True
    takes_context: bool = False
    on_drain: OnDrain = "finish"

    def __post_init__(self) -> None:
        _check.name("name", self.name)
        _check.name("queue_name", self.queue_name)
        _check.whole("priority", self.priority, -100, 100)
        _check.whole("max_attempts", self.max_attempts, 1, 10_000)
        _check.whole("max_crashes", self.max_crashes, 1, 10_000)
        _check.backoff(self.backoff)
        _check.exceptions("retry_on", self.retry_on)
        if self.timeout is not None:
            _check.span("timeout", self.timeout)
        for kind in ("expires", "run_after"):
            if getattr(self, kind) is not None:
                _check.when(kind, getattr(self, kind))
        _check.flag("durable", self.durable)
        _check.flag("preempt", self.preempt)
        _check.choice("on_drain", self.on_drain, get_args(OnDrain))

    def __call__(self, /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Call the function, here and now."""
        return self.func(*args, **kwargs)

    def using(
        self,
        *,
        run_after: When | None = None,
        priority: int | None = None,
        queue_name: str | None = None,
        expires: When | None = None,
        max_attempts: int | None = None,
        durable: bool | None = None,
    ) -> Task[P, T]:
        """The same task with other options; what is not given stays as it was declared.

        `run_after` and `expires` are an aware datetime, a timedelta or seconds, from the time of enqueueing.
        """
        given = {
            "run_after": run_after,
            "priority": priority,
            "queue_name": queue_name,
            "expires": expires,
            "max_attempts": max_attempts,
            "durable": durable,
        }
        return replace(self, **{option: value for option, value in given.items() if value is not None})  # type: ignore[arg-type]

    def enqueue(self, /, *args: P.args, **kwargs: P.kwargs) -> TaskResult[T]:
        """Have it run in the background. When this returns, a durable task's job is on disk.

        Raises InvalidArguments, InvalidPayload, or StoreError if it could not be stored.
        """
        return self.room.enqueue(self, args, kwargs)

    def prepare(self, /, *args: P.args, **kwargs: P.kwargs) -> Prepared:
        """A call for `room.enqueue_many`."""
        return Prepared(self, args, kwargs)

    def check(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Raise InvalidArguments if the function could not be called with these."""
        _check.fit(self.accept, args, kwargs)

    def __repr__(self) -> str:
        return f"<Task {self.name}>"
