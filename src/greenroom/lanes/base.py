"""A lane: somewhere a task may run without getting in the way of requests."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

# How code that runs in a lane gives way to others there, for a moment: what `track` and `checkpoint` call. It raises
# whatever is to end the task. A lane that calls tasks elsewhere sets its own way in the context of the call.
breath: ContextVar[Callable[[], None]] = ContextVar("greenroom_breath")


class Errand(NamedTuple):
    """A call of a task's function, for a lane to carry out elsewhere than in the greenlet that asks for it."""

    attempt: Any  # what `room.current()` is there
    task: Any
    args: tuple[Any, ...]
    kwargs: dict[str, Any]

    def do(self) -> Any:
        """Call it, here."""
        args = (self.attempt, *self.args) if self.task.takes_context else self.args
        return self.task.func(*args, **self.kwargs)


# Does an errand in the lane's place, waits for it in the calling greenlet, and returns what it returned or raises
# what it raised. Whatever is thrown into that greenlet meanwhile ends the errand, by force if it must.
Carry = Callable[[Errand], Any]


class Work(Protocol):
    """One thing to do in a lane. Neither verb may raise."""

    def run(self, carry: Carry | None) -> None:
        """Do it: this holds one of the lane's slots. Tasks are called by `carry`, or right here if it is None."""

    def finish(self) -> None:
        """Record what came of it: the slot is free by then, for this may wait for the disk."""


class VolatileWork(Work, Protocol):
    """Work that is stored nowhere."""

    def abandon(self) -> None:
        """It will not be run: tell whoever waits for it."""


@dataclass(frozen=True, slots=True)
class LaneState:
    """A lane just now: its slots, how many of them may be used, how many are, and what waits for one here."""

    size: int
    limit: int
    running: int
    waiting: int


class Lane(Protocol):
    """A number of slots, and what waits for one.

    There are two kinds of work: claimed jobs, and volatile calls. While both press, each has half of the slots.
    """

    name: str
    size: int
    limit: int  # of the slots, how many may be used just now; set by `resize`
    freed: Callable[[], object]  # called when there is room for a claimed job again
    turning: Callable[[], object]  # called in the hub when work is about to be begun
    preempts_calls: bool  # whether calls, which have no settings of their own, may be put aside

    @property
    def room(self) -> int:
        """How many more jobs may be claimed for this lane."""

    @property
    def ahead(self) -> int:
        """How many of these go beyond the slots, because jobs are lately so short."""

    def reserve(self, slots: int) -> None:
        """Keep room for jobs that are being claimed; negative to give it back."""

    def start(self, job: Work) -> None:
        """Run a claimed job as soon as a slot is free. In the hub's thread only."""

    def call(self, call: VolatileWork) -> None:
        """Run a volatile call as soon as a slot is free. From any thread."""

    def resize(self, limit: int) -> None:
        """Use so many of the slots from now on: requests come first. What runs goes on."""

    @property
    def running(self) -> int:
        """How many slots are in use."""

    def state(self) -> LaneState:
        """Its numbers, for people."""

    def is_empty(self) -> bool:
        """Whether nothing runs or waits here."""

    def abandon(self) -> list[VolatileWork]:
        """Take away the volatile calls that have not begun."""

    def lose(self, work: Work, greenlet: Any, *, is_call: bool) -> None:
        """Work does not end: finish it all the same, and give its slot to others. Called in the hub."""

    def forsake(self) -> None:
        """This is a forked child: begin nothing more here, and leave threads and processes to the parent."""

    def close(self) -> None:
        """Let go of threads and processes; whatever still runs there is left to itself, or ended."""
