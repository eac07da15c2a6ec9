"""A child: it takes orders, calls functions, and says what came of it, until its parent ends or hangs up."""

from __future__ import annotations

import ctypes
import faulthandler
import importlib
import os
import signal
import sys
import threading  # noqa: F401  (so that the first thread it sees is the main one)
from contextlib import suppress
from contextvars import Context
from datetime import datetime
from select import POLLIN, poll
from types import FrameType
from typing import Any

from gevent import get_hub, getcurrent

from greenroom import _attempt, context, signals
from greenroom._child._answers import raised, returned
from greenroom._child._orders import arguments, find, run_main, stop_error
from greenroom._native import allocate_lock, get_ident, start_new_thread
from greenroom.app import Greenroom
from greenroom.lanes import _inside, _logs, breath
from greenroom.lanes._messages import (
    CHUNK,
    Draining,
    Enqueued,
    Frames,
    Logged,
    Order,
    Progressed,
    Raised,
    Ready,
    Returned,
    Start,
    frame,
)
from greenroom.task import Task

_LEAVE = 1.5  # seconds that the interpreter has to end in once the parent has closed the connection
_SOONER = "500"  # of 1000: what the kernel adds to our badness when it looks for what to kill for memory
_PR_SET_PDEATHSIG = 1


class Visit(_attempt.Attempt):
    """The attempt as it is seen here; the parent has the real one."""

    __slots__ = ("_deadline", "_is_interruptible")

    def __init__(self, order: Order, task: Task[..., Any] | None, home: Any) -> None:
        super().__init__(order.job, task, home)
        self._deadline = order.deadline
        self._is_interruptible = order.is_interruptible

    @property
    def deadline(self) -> datetime | None:
        return self._deadline

    @property
    def is_interruptible(self) -> bool:
        return self._is_interruptible


class Child:
    """Its main thread alone takes orders and is stopped; any thread may send."""

    def __init__(self, fd: int) -> None:
        self.is_stopping = False
        os.set_blocking(fd, True)
        os.set_inheritable(fd, False)
        self._fd = fd
        self._frames = Frames()
        self._home = getcurrent()
        self._main_thread = get_ident()
        self._lock = allocate_lock()
        self._rooms: set[Greenroom] = set()
        self._visit: Visit | None = None
        self._is_at_work = False
        self._is_sending = False
        self._can_be_stopped = False
        self._is_told_to_stop = False

    def serve(self) -> None:
        start = self._receive()
        if start is None:
            return
        self._settle_in(start)
        self._send(Ready())
        while (message := self._receive()) is not None:
            if type(message) is Draining:
                self.is_stopping = True
            if type(message) is Order:  # a Stop that came too late is passed over
                self._is_at_work = True
                self._is_told_to_stop = False
                self._send(Context().run(self._answer, message))
                self._is_at_work = False
        for room in self._rooms:
            room.stop(0)

    def save(self, visit: _attempt.Attempt) -> None:
        """What an attempt asks of its home."""
        assert visit.progress_made is not None  # noqa: S101
        if visit is not self._visit:  # a thread that an earlier task left behind
            return
        self._send(Progressed(*visit.progress_made))

    def _settle_in(self, start: Start) -> None:
        _inside.is_child = True
        sys.argv[:] = start.argv
        faulthandler.enable(2)  # the descriptor: an app may have put something else in the place of sys.stderr
        # Whoever ends the site's whole group or unit tells us too; but it is the parent that decides when its tasks
        # end. A function and not SIG_IGN, which the task's own subprocesses would inherit.
        signal.signal(signal.SIGTERM, lambda *_: None)
        signal.signal(signal.SIGURG, self._heed)
        with suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:  # noqa: PTH123
            file.write(_SOONER)
        start_new_thread(self._watch, (start.parent,))
        signals.task_enqueued.connect(self._note_enqueued, weak=False)
        _inside.is_importing = True
        try:
            if start.main is not None:
                run_main(start.main)
            else:
                importlib.import_module(start.module)
        except BaseException:  # noqa: BLE001, S110  (raised once more, and told, when a task of it is to run)
            pass
        _inside.is_importing = False
        _logs.take_over(lambda record: self._send(Logged(record)))

    def _watch(self, parent: int) -> None:
        """End with the parent, on a thread of its own."""
        # The kernel sees to it also while C code keeps all threads from running.
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)
        poller = poll()
        poller.register(self._fd, 0)  # wakes when the other end is closed, and for nothing else
        poller.poll()
        if not self._is_at_work:
            never = allocate_lock()
            never.acquire()
            never.acquire(True, _LEAVE)
        os._exit(1)

    def _answer(self, order: Order) -> Returned | Raised:
        try:
            function, args, kwargs = self._prepared(order)
            self._can_be_stopped = True
            self._breathe()
            value = function(*args, **kwargs)
            self._can_be_stopped = False
            _flush()
        except BaseException as error:  # noqa: BLE001  (the parent judges it)
            # Nothing may come between the `except` and this: here signals are not looked at.
            self._can_be_stopped = False
            return raised(error)
        return returned(value, order)

    def _prepared(self, order: Order) -> tuple[Any, tuple[Any, ...], dict[str, Any]]:
        if order.levels is not None:
            _logs.set_levels(order.levels)
        found = find(order)
        self._rooms |= found.rooms
        args, kwargs = arguments(order)
        if order.context is not None:
            context.restore(order.context)
        visit = self._visit = Visit(order, found.task, self)
        _attempt.current.set(visit)
        breath.set(self._breathe)
        return found.function, ((visit, *args) if order.takes_context else args), kwargs

    def _heed(self, number: int, at: FrameType | None) -> None:
        """The parent has sent a message, and then this signal."""
        if self._can_be_stopped and not self._is_sending:
            self._obey()
        elif self._is_at_work:
            self._is_told_to_stop = True

    def _breathe(self) -> None:
        if self._is_told_to_stop and self._can_be_stopped and get_ident() == self._main_thread:
            self._obey()

    def _obey(self) -> None:
        """Do what the parent has said: end the task, or only know that the end is near."""
        self._can_be_stopped = self._is_told_to_stop = False
        while (message := self._next()) is not None:
            if type(message) is not Draining:
                self._raise(stop_error(message))
                return
            self.is_stopping = True
        self._can_be_stopped = True

    def _raise(self, error: BaseException) -> None:
        if getcurrent() is self._home:
            raise error
        # An app that is patched waits in the hub, or in another greenlet: that is not where the task is.
        get_hub().loop.run_callback(self._home.throw, error)

    def _note_enqueued(self, sender: object, **_: object) -> None:
        self._send(Enqueued())

    def _send(self, message: object) -> None:
        data = frame(message)
        if get_ident() != self._main_thread:
            self._write(data)
            return
        self._is_sending = True  # half a message would be the last that the parent understands
        self._write(data)
        self._is_sending = False
        self._breathe()

    def _write(self, data: bytes) -> None:
        with self._lock, memoryview(data) as left:
            try:
                done = 0
                while done < len(data):
                    done += os.write(self._fd, left[done:])
            except OSError:  # nobody is there any more
                os._exit(1)

    def _next(self) -> Any:
        """The next message, if one has come: two signals may arrive as one, and one message be read without its."""
        message = self._frames.next()
        if message is None:
            poller = poll()
            poller.register(self._fd, POLLIN)
            message = self._receive() if poller.poll(0) else None
        return message

    def _receive(self) -> Any:
        """The next message; None when the parent has closed the connection."""
        while (message := self._frames.next()) is None:
            try:
                data = os.read(self._fd, CHUNK)
            except ConnectionError:
                return None
            if not data:
                return None
            self._frames.feed(data)
        return message


def _flush() -> None:
    # What it printed is to be seen now, and not when the process ends.
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError, OSError, ValueError):
            stream.flush()
