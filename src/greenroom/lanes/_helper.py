"""A helper: the parent's view of one child process, which does one errand at a time."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from gevent import Timeout, get_hub, socket

from greenroom import context
from greenroom.errors import ProcessDied
from greenroom.lanes import _logs
from greenroom.lanes._inside import MAIN
from greenroom.lanes._messages import (
    CHUNK,
    Draining,
    Enqueued,
    Frames,
    Levels,
    Logged,
    Main,
    Order,
    Progressed,
    Raised,
    Ready,
    Returned,
    Start,
    Stop,
    frame,
)
from greenroom.lanes._parcels import pickled, unpacked
from greenroom.lanes._spawned import Spawned
from greenroom.lanes.base import Errand

GRACE = 0.08  # seconds that a task has to end in once it was told to; then its process is killed
LOOK = 0.25  # seconds between looks at the memory of a child that is limited
_LEAVE = 2.0  # seconds that a child has to end in by itself
_MB = 1_000_000


class Helper:
    """`gone` is told when the process has ended, and `enqueued` when a task in it has enqueued something."""

    def __init__(self, module: str, *, max_memory: int | None, gone: Any, enqueued: Any) -> None:
        self.jobs = 0
        self.is_busy = False  # an errand of its is under way
        self._is_at_work = False  # it has been handed over
        self._is_draining = False
        self.idle_since = 0.0
        self.max_memory = max_memory
        self._gone = gone
        self._enqueued = enqueued
        self._module = module
        self._is_ready = False
        self._is_spent = False  # it may not be used again
        self._too_big = 0  # bytes it had when it was killed for them
        self._levels: Levels | None = None
        self._frames = Frames()
        self._loop = get_hub().loop
        self._socket, theirs = socket.socketpair()
        try:
            self.process = Spawned(theirs.fileno(), self._exited)
        except OSError:
            self._socket.close()
            raise
        finally:
            theirs.close()
        self._readable = self._loop.io(self._socket.fileno(), 1)
        self._kill_later = self._loop.timer(_LEAVE, ref=False)
        self._look = self._loop.timer(LOOK, LOOK, ref=False)
        self._socket.sendall(frame(Start(sys.argv, os.getpid(), _main(module), module)))

    @property
    def is_usable(self) -> bool:
        return not (self._is_spent or self.process.is_over)

    def is_too_big(self) -> bool:
        return self.max_memory is not None and self.process.memory() > self.max_memory

    def get_ready(self) -> None:
        """Wait for its imports. Whoever is called away meanwhile leaves it to get on with them."""
        while not self._is_ready:
            self._is_ready = type(self._next(None, "it imported the app")) is Ready

    def do(self, errand: Errand, call: bytes) -> Any:
        """What the function returned or raised there. Whatever is thrown into this ends it."""
        self.jobs += 1
        order = frame(self._order(errand, call))
        is_sent = False
        try:
            if self.max_memory is not None:
                self._look.start(self._check_memory)
            self._send(order, errand)
            is_sent = self._is_at_work = True
            if self._is_draining:
                self._tell_of_drain()
            answer = self._answer(errand)
        except ProcessDied:
            raise
        except BaseException as error:
            if is_sent:
                self._stop(errand, error)
            else:
                self.kill()  # it waits for the rest of a message that does not come
            raise
        finally:
            self._is_at_work = False
            self._look.stop()
        return unpacked(answer, errand)

    def drain(self) -> None:
        """Let what runs there, from now on, know that this process is to end."""
        if not self._is_draining:
            self._is_draining = True
            if self._is_at_work:
                self._tell_of_drain()

    def kill(self) -> None:
        self._is_spent = True
        self.process.kill()

    def forsake(self) -> None:
        """This is a forked child: neither hear what is said to the parent, nor end its processes."""
        for watcher in (self._readable, self._look, self._kill_later):
            watcher.stop()
        self.process.forsake()

    def end(self) -> None:
        """Let it end by itself: it hears that this end of the pair is closed. If it does not, it is killed."""
        self._is_spent = True
        if not self.process.is_over:
            self._kill_later.start(self.process.kill)
        self._close_socket()

    def _order(self, errand: Errand, call: bytes) -> Order:
        task, levels = errand.task, _logs.levels()
        news, self._levels = (None if levels == self._levels else levels), levels
        return Order(
            task.func.__module__,
            task.func.__qualname__,
            task.name,
            task.takes_context,
            call,
            errand.attempt.job._replace(payload=None),
            errand.attempt.deadline,
            context.capture(),
            errand.attempt.is_interruptible,
            news,
        )

    def _send(self, order: bytes, errand: Errand) -> None:
        try:
            self._socket.sendall(order)
        except OSError:
            self._mourn(f"task {errand.task.name} was handed to it")

    def _answer(self, errand: Errand) -> Returned | Raised:
        while True:
            message = self._next(errand, f"it ran task {errand.task.name}")
            if isinstance(message, Returned | Raised):
                return message

    def _next(self, errand: Errand | None, doing: str) -> Any:
        """The next message that is not heard of in passing."""
        while True:
            progress = None
            while (message := self._frames.next()) is not None:
                match message:
                    case Progressed():
                        progress = message  # the last of those that came together
                    case Logged(record):
                        _logs.handle(record)
                    case Enqueued():
                        self._enqueued()
                    case _:
                        break
            if progress is not None and errand is not None:
                errand.attempt.progress(*progress)
            if message is not None:
                return message
            # Through the hub each time, also if there is more to read: a child that talks on and on must not
            # keep the loop from all others.
            get_hub().wait(self._readable)
            try:
                data = self._socket.recv(CHUNK)
            except OSError:
                data = b""
            if not data:
                self._mourn(doing)
            self._frames.feed(data)

    def _mourn(self, doing: str) -> None:
        """Say how it ended."""
        self._is_spent = True
        if not self.process.over.wait(1.0):
            self.process.kill()
            raise ProcessDied(f"process {self.process.pid} closed its connection while {doing}, and was killed.")
        raise ProcessDied(self._epitaph(doing))

    def _epitaph(self, doing: str) -> str:
        pid, status = self.process.pid, self.process.status
        if self._too_big:
            return (
                f"process {pid} was killed while {doing}: it used {self._too_big / _MB:.0f} MB of "
                f"max_memory={(self.max_memory or 0) / _MB:.0f} MB. Let the task take less at a time, or allow more."
            )
        if status is None:
            return (
                f"process {pid} ended while {doing}; how, only he knows who called waitpid() for it in this process."
            )
        if status == -signal.SIGKILL:
            return (
                f"process {pid} died of SIGKILL while {doing}: somebody killed it, perhaps the system for want of "
                "memory. See the system's log."
            )
        if status < 0:
            return f"process {pid} died of {_name_of(-status)} while {doing}. See its Python stack on stderr."
        return f"process {pid} ended with exit code {status} while {doing}. Return or raise there instead."

    def _stop(self, errand: Errand, error: BaseException) -> None:
        """Have the error raised in the task; if that has not ended soon, kill its process."""
        try:
            self._socket.sendall(frame(Stop(pickled(error))))
            self.process.kill(
                signal.SIGURG
            )  # which by default does nothing, should it come before the child is ready
            with Timeout(GRACE, False):
                self._answer(errand)
                return
        except BaseException:  # noqa: BLE001, S110  (whatever else comes meanwhile: enough is enough)
            pass
        self.kill()

    def _tell_of_drain(self) -> None:
        with suppress(OSError):  # it died, which whoever waits for its answer will hear
            self._socket.sendall(frame(Draining()))
            self.process.kill(signal.SIGURG)

    def _check_memory(self) -> None:
        used = self.process.memory()
        if used > (self.max_memory or 0):
            self._too_big = used
            self.kill()

    def _exited(self) -> None:
        self._is_spent = True
        self._kill_later.stop()
        # A grandchild may have the other end open still, and then the end of the child would not be read here.
        if self._socket.fileno() >= 0:
            with suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)
        self._gone(self)

    def _close_socket(self) -> None:
        self._readable.close()
        self._look.close()
        self._socket.close()

    def forget(self) -> None:
        """It has ended, and nobody listens to it any more."""
        if self._socket.fileno() >= 0:
            self._close_socket()
        self._kill_later.close()


def _main(module: str) -> Main | None:
    """How a child can get at our `__main__`, if it needs to."""
    if module != "__main__":
        return None
    main = sys.modules["__main__"]
    sys.modules.setdefault(MAIN, main)  # by which the exceptions of a child name their classes
    spec = getattr(main, "__spec__", None)
    path = getattr(main, "__file__", None)
    return Main(spec.name if spec else None, str(Path(path).absolute()) if path else None)


def _name_of(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
