"""The greenroom: tasks on one side, a store and a runner on the other. The one object an app makes."""

from __future__ import annotations

import atexit
import logging
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from contextvars import copy_context
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, cast, get_args

from gevent import monkey
from gevent.lock import RLock

from greenroom import _check, _forks, _interrupt, _where, signals
from greenroom._as_is import AsIs
from greenroom._attempt import Attempt, current
from greenroom._backstage import Backstage, Limits, lane_sizes
from greenroom._call import Call
from greenroom._course import Coalesce
from greenroom._guard import Guard, guard_here
from greenroom._ids import id_in
from greenroom._periodic import check_schedule
from greenroom._reach import OutOfReach, full_name, in_child, while_importing
from greenroom._register import Register
from greenroom._rhythm import QUANTUM
from greenroom._side import Side, VolatileSide
from greenroom._ticker import Ticker
from greenroom._wanted import wanted
from greenroom.backoff import Backoff, exponential
from greenroom.clock import SECOND, Clock, SystemClock, When, as_span, moment_of
from greenroom.codec import Codec
from greenroom.errors import NotRunning, StoreError, StoreUnavailable, UnknownResult
from greenroom.job import Job, Status
from greenroom.lanes import Lane, LaneState, Processes, _inside
from greenroom.lanes.process import cpus
from greenroom.monitor import Blocker, Monitor, Preemption
from greenroom.result import TaskResult
from greenroom.schedule import Schedule
from greenroom.stores import MemoryStore, Store, store_at
from greenroom.stores.sqlite import Durability
from greenroom.task import MAX_ATTEMPTS, MAX_CRASHES, OnDrain, Prepared, Task, prepared
from greenroom.timetable import Timetable

P = ParamSpec("P")
T = TypeVar("T")

_VOLATILE = "v"

log = logging.getLogger("greenroom")


class Greenroom:
    """Background work for one app, in the app's own process.

    `url` says where durable jobs live: "sqlite:///greenroom.db" (a path relative to the file that makes the room;
    four slashes for an absolute one) or "memory://". `lanes` are slots by lane, over {"greenlet": 100, "idle": 4,
    "thread": 10, "process": one for each CPU}; for "process", Processes(...) says more. `retention` is how long
    finished jobs are kept. A job during which the process died `max_crashes` times is quarantined: it has failed, and
    `result.retry()` releases it. Nothing is opened until it is first used.

    A task that computes for longer than `quantum` (1 ms; while nothing else happens, 3 ms at least) is put aside for
    a moment, unless `preempt` is False; with `preempt_requests` so is a request of `greenroom serve`. While the
    process holds more than `max_memory` bytes no task is begun; when the event loop does not turn for `abort_after`
    seconds, the process shows its stack and ends, for a supervisor to start it anew.
    """

    def __init__(
        self,
        url: str = "sqlite:///greenroom.db",
        *,
        durability: Durability = "disk",
        lanes: Mapping[str, int | Processes] | None = None,
        max_payload: int = 1_000_000,
        retention: timedelta = timedelta(days=7),
        max_crashes: int = MAX_CRASHES,
        preempt: bool = True,
        preempt_requests: bool = False,
        quantum: timedelta | float = QUANTUM,
        max_memory: float | None = None,
        abort_after: float | None = None,
        clock: Clock | None = None,
    ) -> None:
        _check.url(url)
        _check.choice("durability", durability, get_args(Durability))
        _check.span("retention", retention)
        _check.whole("max_crashes", max_crashes, 1, 10_000)
        _check.flag("preempt", preempt)
        _check.flag("preempt_requests", preempt_requests)
        _check.positive("max_memory", max_memory)
        _check.positive("abort_after", abort_after)
        self.preempts_requests = preempt and preempt_requests  # asked by `greenroom serve`
        self._limits = Limits(preempt, _check.quantum(quantum), max_memory, abort_after)
        self._register = Register()
        self.tasks = self._register.tasks
        self._sizes = lane_sizes({} if lanes is None else lanes)
        self._retention = retention
        self._max_crashes = max_crashes
        self._clock = SystemClock() if clock is None else clock
        _check.clock(self._clock)
        self._codec = Codec(max_payload=max_payload)
        beside = sys._getframe(1).f_globals.get("__file__")  # noqa: SLF001  (whoever makes the room)
        folder = Path(beside).absolute().parent if beside else Path.cwd()
        self._store = store_at(url, beside=folder, durability=durability, clock=self._clock)
        self.schedules = Timetable.of(
            self._clock, self._register.names, self._codec, lambda: self._open().durable, self._rescheduled
        )
        self._lock = RLock()
        self._backstage: Backstage | None = None
        self._opened: Backstage | None = None  # the same, once its stores are open
        self._is_started = False
        self._has_told_why_not = False
        _forks.in_child(self, Greenroom._forsake)

    def task(
        self,
        func: Callable[P, T] | None = None,
        /,
        *,
        name: str | None = None,
        names: Iterable[str] = (),
        queue_name: str = "default",
        priority: int = 0,
        max_attempts: int = MAX_ATTEMPTS,
        max_crashes: int | None = None,
        backoff: Backoff | None = None,
        retry_on: type[BaseException] | tuple[type[BaseException], ...] = (Exception,),
        timeout: timedelta | float | None = None,
        expires: When | None = None,
        lane: str = "greenlet",
        durable: bool = True,
        preempt: bool = True,
        takes_context: bool = False,
        on_drain: OnDrain = "finish",
    ) -> Any:
        """Declare a task, as `@room.task` or `@room.task(...)`.

        `name` is what stored jobs know it by ("module.function"), and `names` are older ones it answers to.
        `priority` is from -100 to 100, higher first. `max_attempts` counts every start, also those that a crash
        ended, and after `max_crashes` of these (the room's, if not given) a job is quarantined; what is in `retry_on`
        is tried again after `backoff`. `timeout` ends an attempt, and `expires` cancels a job that has not begun by
        then. A task that is not `durable` is forgotten when the process ends, and may be given any object. One that
        must not be put aside while it computes is declared with `preempt=False`. With `takes_context` the function's
        first parameter, `context`, is what `room.current()` returns. A drain lets a task finish for as long as it
        lasts; with `on_drain="interrupt"` a durable one ends at its next `checkpoint()` or row of `track`, where
        `ShuttingDown` is raised, and goes on elsewhere. Raises InvalidTask or InvalidOption.
        """

        def declare(func: Callable[P, T]) -> Task[P, T]:
            _check.flag("takes_context", takes_context)
            _check.flag("preempt", preempt)
            _check.function(func, takes_context=takes_context)
            path = full_name(func)
            if lane == "process":
                _check.importable(func)
            task: Task[P, T] = Task(
                func=func,
                accept=_check.arguments(func, path, takes_context=takes_context),
                room=self,
                name=path if name is None else name,
                aliases=_check.names("names", names),
                queue_name=queue_name,
                priority=priority,
                max_attempts=max_attempts,
                max_crashes=self._max_crashes if max_crashes is None else max_crashes,
                backoff=exponential() if backoff is None else backoff,
                retry_on=retry_on if isinstance(retry_on, tuple) else (retry_on,),
                timeout=_check.length("timeout", timeout),
                expires=expires,
                lane=_check.lane(lane, self._sizes, path),
                durable=durable,
                preempt=preempt and self._limits.preempt,
                takes_context=takes_context,
                on_drain=on_drain,
            )
            self._register.add(task)
            return task

        return declare if func is None else declare(func)

    def periodic(
        self,
        schedule: Schedule,
        *,
        name: str | None = None,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
        misfire_grace_time: timedelta | float | None = None,
        coalesce: Coalesce = "latest",
        jitter: timedelta | float | None = None,
        run_on_start: bool = False,
    ) -> Callable[[Task[P, T]], Task[P, T]]:
        """Have a task enqueued at each slot of a schedule, once, however many processes are up. Above `@room.task`.

        Slots missed while no process was up are made up for by `coalesce`: the "latest" one, "all" (up to 1,000), the
        "earliest", or none ("skip"); but for those later than `misfire_grace_time`. Each is put off by a random time
        up to `jitter`. With `run_on_start` it is also enqueued when the room starts. `context.slot` is the slot. A
        second schedule of one task needs a `name` of its own. Raises InvalidOption, InvalidTask or InvalidArguments.
        """
        check_schedule(schedule)
        return partial(
            self.schedules.declare,
            schedule=schedule,
            name=name,
            args=args,
            kwargs=kwargs,
            misfire_grace_time=misfire_grace_time,
            coalesce=coalesce,
            jitter=jitter,
            run_on_start=run_on_start,
        )

    def register(self, cls: type[T], *, name: str | None = None) -> type[T]:
        """Let an Enum or a dataclass travel in arguments and results; usable as a decorator."""
        return self._codec.register(cls, name=name)

    def enqueue(self, task: Task[P, T], args: tuple[Any, ...], kwargs: dict[str, Any]) -> TaskResult[T]:
        """What `task.enqueue` does."""
        if _inside.is_importing:
            raise while_importing()
        backstage = self._opened or self._open()
        try:  # which costs nothing
            side = backstage.durable if task.durable else backstage.volatile
        except AttributeError:
            raise _check.no_task(task) from None
        return side.enqueue(task, args, kwargs)

    def enqueue_many(self, calls: Iterable[Prepared]) -> list[TaskResult[Any]]:
        """Enqueue calls made by `task.prepare(...)`: all the durable ones in one transaction, or none of them."""
        if _inside.is_importing:
            raise while_importing()
        backstage = self._open()
        made: list[tuple[Side, Job]] = []
        for call in prepared(calls):  # all are made before any is stored: what is refused leaves nothing behind
            side = backstage.durable if call.task.durable else backstage.volatile
            made.append((side, side.make(*call)))
        for side in backstage.sides:
            if jobs := [job for its_side, job in made if its_side is side]:
                side.runner.add(jobs)
        return [side.enqueued(job) for side, job in made]

    def get_result(self, result_id: str) -> TaskResult[Any]:
        """The result of that id. Raises UnknownResult if there is none, or it was pruned."""
        _check.text("result_id", result_id, such="the str that `result.id` gave")
        backstage = self._open()
        side = backstage.volatile if result_id.startswith(_VOLATILE) else backstage.durable
        number = id_in(result_id.removeprefix(side.prefix))
        if number is None:
            raise UnknownResult(f"{result_id!r} is not the id of a result: use what `result.id` gave.")
        return TaskResult(side, side.get(number))

    def find(
        self,
        *,
        status: Status | str | None = None,
        task: Task[..., Any] | str | None = None,
        queue_name: str | None = None,
        crashed: bool = False,
        before: TaskResult[Any] | str | None = None,
        limit: int = 50,
    ) -> list[TaskResult[Any]]:
        """Durable jobs, newest first, or only those whose process died; give the last as `before` to go on.

        A status or a task may be given by its name, a result by its id. Raises InvalidOption.
        """
        jobs = wanted(status=status, task=task, queue_name=queue_name, crashed=crashed, before=before, limit=limit)
        side = self._open().durable
        return [TaskResult(side, job) for job in side.find(**jobs._asdict())]

    def counts(self) -> dict[Status, int]:
        """How many durable jobs there are of each status."""
        return self._open().durable.store.counts()

    def spawn(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Call[T]:
        """Run any callable in the background, now: volatile, nothing is stored. The context is copied."""
        if _inside.is_child:
            raise in_child("spawn")
        if not callable(function):
            raise _check.no_function("spawn", function, such="room.spawn(f, 1)")
        call = Call(copy_context(), function, args, kwargs)
        (self._backstage or self._set_up()).call(call)
        return call

    def spawn_later(self, seconds: When, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Call[T]:
        """Run any callable in so many seconds (a timedelta and an aware datetime will do as well), if the process
        still lives then."""
        if _inside.is_child:
            raise in_child("spawn_later")
        _check.when("seconds", seconds)
        if not callable(function):
            raise _check.no_function("spawn_later", function, such="room.spawn_later(60, f, 1)")
        now = self._clock.now()
        delay = cast("int", moment_of(seconds, now)) - now
        call = Call(copy_context(), function, args, kwargs)
        (self._backstage or self._set_up()).call_later(max(0, delay) / SECOND, call)
        return call

    def backup(self, path: str | os.PathLike[str]) -> None:
        """Copy the durable jobs, as they are at one moment, into a new file, from which a room can go on.

        Nobody waits for it, however long it takes. Raises InvalidOption if the file is there already, or jobs live in
        memory, and StoreError if it cannot be written.
        """
        _check.path("path", path)
        self._open().durable.store.backup(path)

    def current(self) -> Attempt:
        """The attempt that this code runs in. Raises NotRunning outside of a task."""
        attempt = current.get(None)
        if attempt is None:
            raise NotRunning("room.current() is for code that runs in a task, and no task runs here.")
        return attempt

    def start(self) -> None:
        """Open the store and run tasks from now on, in this thread's event loop. Twice is once.

        It does nothing, and says so in the log, in a process that only imports the app: a reloader's parent, a shell,
        a test. Tasks can be enqueued there all the same. GREENROOM_RUN=1 in the environment has it start all the
        same, and GREENROOM_RUN=0 keeps it from it. Raises StoreError or InvalidOption.
        """
        verdict = _where.here(is_lane_child=_inside.is_child)
        if not verdict.starts:
            self._tell_why_not(verdict.reason)
            return
        if not monkey.is_module_patched("socket"):
            log.warning(
                "the standard library is not patched for gevent: a server that waits in it keeps tasks from running, "
                "if need be for ever, and a task that waits holds up everything else. Use `greenroom serve`, or call "
                "gevent.monkey.patch_all() before any other import."
            )
        self._open().start()
        self._is_started = True
        _interrupt.listen(self)
        atexit.register(self._leave)

    def stop(self, drain: float = 30.0) -> None:
        """Stop claiming, let what runs end for up to `drain` seconds, and give back the rest at no cost to it.

        A second call, with less patience, hurries the first. A process that ends without it gives back what runs.
        """
        _check.drain(drain)
        backstage = self._backstage
        if backstage is None:
            return
        backstage.drain(drain)
        with self._lock:
            if self._backstage is backstage:
                self._backstage, self._opened, self._is_started = None, None, False
                try:
                    backstage.close()
                finally:
                    _interrupt.unlisten(self)
                    atexit.unregister(self._leave)

    def give_back(self) -> None:
        """Give back what runs, at no cost to it, and let it be: for who ends a process, if need be on a thread."""
        backstage = self._opened
        if backstage is not None:
            backstage.durable.runner.disown_from_thread()

    def _leave(self) -> None:
        """Python ends, and nobody has stopped the room: that is no crash."""
        with suppress(StoreError):  # then it counts as one
            self.give_back()

    def _forsake(self) -> None:
        """This is a forked child: the parent runs the tasks. Here the room is as if it had just been made."""
        backstage, self._backstage = self._backstage, None
        self._opened, self._is_started, self._has_told_why_not = None, False, False
        self._lock = RLock()  # whoever held it is not here
        if backstage is not None:
            backstage.forsake()
            _interrupt.unlisten(self)

    @property
    def url(self) -> str:
        """Where durable jobs live, fit to be shown."""
        return self._store.url

    @property
    def store(self) -> Store:
        """Where durable jobs live."""
        return self._store

    @property
    def preempts(self) -> bool:
        """Whether tasks of this room are put aside while they compute, where that is possible."""
        return self._limits.preempt

    @property
    def lanes(self) -> dict[str, int]:
        """The slots of each lane."""
        return {
            lane: (size.size or cpus()) if isinstance(size, Processes) else size for lane, size in self._sizes.items()
        }

    @property
    def monitor(self) -> Monitor:
        """How late the event loop is, and what made it late."""
        return self._guard.monitor

    @property
    def _guard(self) -> Guard:
        return self._backstage.guard if self._backstage else guard_here()

    def preemption(self) -> Preemption:
        """Whether tasks are put aside while they compute, and why not."""
        return self._guard.preemption()

    def lane_states(self) -> dict[str, LaneState]:
        """How many things run and wait in each lane just now, and how many may."""
        if self._backstage is None:
            return {name: LaneState(size, size, 0, 0) for name, size in self.lanes.items()}
        return {name: lane.state() for name, lane in self._backstage.lanes.items()}

    @property
    def is_started(self) -> bool:
        return self._is_started

    def trouble(self) -> str | None:
        """What keeps the room from its work just now, if anything: for /healthz."""
        return self._backstage.trouble() if self._backstage else None

    def __repr__(self) -> str:
        return f"<Greenroom {self.url}: {len(self.tasks)} tasks>"

    def _tell_why_not(self, reason: str) -> None:
        if not self._has_told_why_not:
            self._has_told_why_not = True
            # In the lane's own children it is a matter of course.
            level = logging.DEBUG if _inside.is_child else logging.INFO
            log.log(level, "%r does not start here: %s. %s", self, reason, _where.REMEDY)

    def _open(self) -> Backstage:
        """What is open; opens it first if need be."""
        if self._opened is None:
            if sys.is_finalizing():  # as in the __del__ of what is left at the end: nothing can wait any more
                raise StoreUnavailable(f"{self.url} cannot be opened any more: Python is ending. Do it before.")
            with self._lock:
                backstage = self._set_up()
                backstage.open()
                self._opened = backstage
        return self._opened

    def _set_up(self) -> Backstage:
        if self._backstage is None:
            if _inside.is_child and isinstance(self._store, MemoryStore):
                raise OutOfReach.error()
            find_task, declared = self._register.names.get, self.schedules.declared
            make_ticker = partial(Ticker, clock=self._clock, declared=declared, find_task=find_task)
            self._backstage = Backstage(self._sizes, self._make_sides, make_ticker, self._limits, self._blocked)
        return self._backstage

    def _blocked(self, blocker: Blocker, seconds: float) -> None:
        signals.emit(signals.loop_blocked, self, blocker=blocker, seconds=seconds)

    def _rescheduled(self) -> None:
        if self._backstage is not None:
            self._backstage.ticker.wake()

    def _make_sides(self, lanes: Mapping[str, Lane]) -> tuple[Side, Side]:
        shared: dict[str, Any] = {
            "lanes": lanes,
            "clock": self._clock,
            "retention": as_span(self._retention),
            "find_task": self._register.names.get,
            "max_crashes": self._max_crashes,
            "sender": self,
        }
        volatile = OutOfReach(clock=self._clock) if _inside.is_child else MemoryStore(clock=self._clock)
        return (
            Side(self._store, prefix="", codec=self._codec, **shared),
            VolatileSide(volatile, prefix=_VOLATILE, codec=AsIs(), **shared),
        )
