"""The timetable: a room's schedules, those declared in code and those added while it runs. `room.schedules`.

What is added, removed, paused or resumed is on disk when the call returns, and holds in all processes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from greenroom import _check
from greenroom._as_is import CallCodec
from greenroom._course import Coalesce, course_of, new_course
from greenroom._periodic import Origin, Periodic, checked, horizon, periodic_of
from greenroom.clock import Clock, as_datetime
from greenroom.errors import InvalidOption, InvalidTask, StoreUnavailable, UnknownSchedule
from greenroom.result import TaskResult
from greenroom.schedule import Schedule, Unreadable
from greenroom.stores.base import Mark, Tick
from greenroom.task import Task

if TYPE_CHECKING:
    from greenroom._side import Side

_TRIES = 20  # at a mark that others change all the while

AnyTask = TypeVar("AnyTask", bound=Task[..., Any])


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheduled:
    """A schedule as it stood when it was looked at. Moments are in UTC.

    One that is an orphan is not enqueued by this process: no code declares it any more, or its task, or
    its time zone, is unknown here.
    """

    name: str
    schedule: Schedule
    task_name: str
    origin: Origin
    is_paused: bool
    is_orphan: bool
    last_slot: datetime | None
    next_slot: datetime | None
    coalesce: Coalesce


class _Place(NamedTuple):
    """Where schedules are kept, and who is to be told that one was changed."""

    clock: Clock
    tasks: Mapping[str, Task[..., Any]]  # with their aliases
    codec: CallCodec
    side: Callable[[], Side]
    changed: Callable[[], None]


class Timetable:
    """Iterating gives a `Scheduled` for each; the rest is verbs. `using(...)` says how an added one is enqueued."""

    def __init__(self, place: _Place, declared: dict[str, Periodic], **options: Any) -> None:
        self.declared = declared
        self._place = place
        self._replace = options.pop("replace", False)
        self._options = options

    @classmethod
    def of(
        cls,
        clock: Clock,
        tasks: Mapping[str, Task[..., Any]],
        codec: CallCodec,
        side: Callable[[], Side],
        changed: Callable[[], None],
    ) -> Timetable:
        """An empty one, of a room."""
        return cls(_Place(clock, tasks, codec, side, changed), {})

    def using(
        self,
        *,
        misfire_grace_time: timedelta | float | None = None,
        coalesce: Coalesce = "latest",
        jitter: timedelta | float | None = None,
        replace: bool = False,
    ) -> Timetable:
        """The same timetable, that adds schedules with these options; `room.periodic` says what they mean.

        With `replace`, one of the same name that was added before is put out of the way.
        """
        _check.flag("replace", replace)
        options = {"misfire_grace_time": misfire_grace_time, "coalesce": coalesce, "jitter": jitter}
        return Timetable(self._place, self.declared, replace=replace, **options)

    def add(self, name: str, schedule: Schedule, task: Task[..., Any], /, *args: Any, **kwargs: Any) -> None:
        """Have a task enqueued by a schedule from now on, in all processes and after restarts."""
        if name in self.declared:
            raise InvalidOption(f"schedule {name!r} is declared in code: give the one that is added another name.")
        new = self._periodic(task, args, kwargs, name=name, schedule=schedule, origin="added", **self._options)

        def put(mark: Mark | None, now: int) -> Mark:
            if mark is None:
                return Mark(name, None, new_course(now).text(), new.text())
            stored, course = periodic_of(name, mark.definition), course_of(mark.course)
            if not self._replace and stored.origin == "added":
                raise InvalidOption(
                    f"there is a schedule {name!r} already: use another name, or "
                    "room.schedules.using(replace=True).add(...)."
                )
            if stored.schedule != schedule:
                course = new_course(now)
            return Mark(name, mark.slot, course.text(), new.as_it_stands(stored).text())

        self._change(name, put)

    def remove(self, name: str) -> None:
        """Forget one that was added, or one that no code declares any more. What it has enqueued stays."""
        if name in self.declared:
            raise InvalidOption(f"schedule {name!r} is declared in code: delete it there, or pause it.")
        self._change(name, lambda mark, _: self._dropped(name, mark))

    def pause(self, name: str) -> None:
        """Enqueue no more of its slots until it is resumed, in any process. Twice is once."""
        self._change(name, lambda mark, _: _with(self._known(name, mark), is_paused=True))

    def resume(self, name: str) -> None:
        """Go on from now: slots that went by meanwhile are not made up for. Twice is once."""

        def go_on(mark: Mark | None, now: int) -> Mark:
            known = self._known(name, mark)
            if not periodic_of(name, known.definition).is_paused:
                return known
            return _with(known, is_paused=False)._replace(course=course_of(known.course).resumed(now).text())

        self._change(name, go_on)

    def run_now(self, name: str) -> TaskResult[Any]:
        """Enqueue its task once more, at once, paused or not. `context.slot` is the present moment then."""
        side, now = self._place.side(), self._place.clock.now()
        periodic = self._stored(name)
        task = self._place.tasks.get(periodic.task)
        if task is None:
            raise InvalidTask(
                f"schedule {name!r} cannot run here: no task is named {periodic.task!r} in this process. Ask one "
                "that has it."
            )
        job = replace(periodic, jitter=0).job(side.new_id(), task, now, now)
        side.runner.add_one(job)
        return side.enqueued(job)

    def get(self, name: str) -> Scheduled:
        """The one of that name. Raises UnknownSchedule."""
        for each in self:
            if each.name == name:
                return each
        raise _unknown(name)

    def __iter__(self) -> Iterator[Scheduled]:
        now = horizon(self._place.clock)
        marks = {mark.name: mark for mark in self._place.side().store.marks()}
        for name, periodic in self.declared.items():  # of a room that never was started
            marks.setdefault(name, Mark(name, None, new_course(now).text(), periodic.text()))
        return iter([self._scheduled(marks[name], now) for name in sorted(marks)])

    def __len__(self) -> int:
        return len(list(iter(self)))

    def declare(
        self,
        task: AnyTask,
        schedule: Schedule,
        *,
        name: str | None = None,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> AnyTask:
        """What `room.periodic` does."""
        name = task.name if name is None and isinstance(task, Task) else name
        new = self._periodic(task, args, kwargs, name=name, schedule=schedule, origin="declared", **options)
        if new.name in self.declared:
            raise InvalidOption(
                f"two schedules are named {name!r}: give one of them a name, room.periodic(..., name='...')."
            )
        self.declared[new.name] = new
        return task

    def _periodic(self, task: Any, args: Any, kwargs: Any, **options: Any) -> Periodic:
        if not isinstance(task, Task) or task.name not in self._place.tasks:
            raise InvalidTask(
                f"{task!r} is not a task of this room, and cannot be periodic: put @room.task below "
                "@room.periodic(...)."
            )
        if not isinstance(args, tuple) or not isinstance(kwargs or {}, Mapping):
            raise InvalidOption(f"args={args!r}, kwargs={kwargs!r}: use a tuple, and a dict by name.")
        keywords = dict(kwargs or {})
        task.check(args, keywords)
        payload = self._place.codec.encode_call(args, keywords)
        return checked(task, self._place.tasks[task.name], payload=payload, **options)

    def _known(self, name: str, mark: Mark | None) -> Mark:
        if mark is not None:
            return mark
        if name not in self.declared:
            raise _unknown(name)
        now = horizon(self._place.clock)
        return Mark(name, None, new_course(now).text(), self.declared[name].text())

    def _dropped(self, name: str, mark: Mark | None) -> None:
        self._known(name, mark)

    def _stored(self, name: str) -> Periodic:
        marks = {mark.name: mark for mark in self._place.side().store.marks()}
        return periodic_of(name, self._known(name, marks.get(name)).definition)

    def _change(self, name: str, change: Callable[[Mark | None, int], Mark | None]) -> None:
        """Put in the place of a mark what `change` makes of it, however often others are faster."""
        store = self._place.side().store
        for _ in range(_TRIES):
            old = next((mark for mark in store.marks() if mark.name == name), None)
            new = change(old, horizon(self._place.clock))
            if new == old or store.tick([Tick(old, new)]) == [True]:
                self._place.changed()
                return
        raise StoreUnavailable(f"schedule {name!r} is changed by others all the while: try again.")

    def _scheduled(self, mark: Mark, now: int) -> Scheduled:
        periodic = periodic_of(mark.name, mark.definition)
        is_wanted = periodic.origin == "added" or mark.name in self.declared
        is_known = periodic.task in self._place.tasks and not isinstance(periodic.schedule, Unreadable)
        is_orphan = not (is_wanted and is_known)
        following = None if periodic.is_paused or is_orphan else course_of(mark.course).next(periodic.schedule, now)
        return Scheduled(
            name=mark.name,
            schedule=periodic.schedule,
            task_name=periodic.task,
            origin=periodic.origin,
            is_paused=periodic.is_paused,
            is_orphan=is_orphan,
            last_slot=None if mark.slot is None else as_datetime(mark.slot),
            next_slot=None if following is None else as_datetime(following),
            coalesce=periodic.policy.coalesce,
        )


def _with(mark: Mark, *, is_paused: bool) -> Mark:
    periodic = periodic_of(mark.name, mark.definition)
    return mark._replace(definition=replace(periodic, is_paused=is_paused).text())


def _unknown(name: str) -> UnknownSchedule:
    return UnknownSchedule(f"no schedule is named {name!r}: it was removed, or never was. See list(room.schedules).")
