"""The recorder: a history kept outside of what is tested, for `checker` to judge.

Each moment is one line, written with one `os.write` to a file opened O_APPEND: it is there in the order in which the
processes wrote, even if the writer is killed a microsecond later. Killed in the middle of it, where the file goes
over to its next page, the writer leaves half a line: that moment has not been. Whoever enqueues gives each call a
key, and the task is given it too, so that a run is known for what asked for it before any id is.

    recorder = Recorder(path)
    with recorder.enqueueing(key) as acknowledge:       # call ... ack, or refused when it raises
        acknowledge(work.enqueue(key).id)

    def work(context, key):                             # in the task
        with recorder.running(key, context) as run:     # start ... end, or raised
            return run.value                            # which run it was: the checker holds it against the history

Besides: `rolled_back` (it must never run), `recorded` (an outcome was), `slot` (of a schedule, in the task), `kill`
(just before a process is killed), `frozen` (just before it is stopped for longer than its lease), `drained` (just
before it is told to stop), `request`, `window` (around what may fail), `census`.
"""

import gc
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import greenlet


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One moment. `t` is in seconds, of the clock that all processes of a machine share and nobody can set."""

    what: str
    t: float
    pid: int
    key: str | None = None
    id: str | None = None
    attempt: int | None = None
    worker: int | None = None
    more: dict[str, Any] = field(default_factory=dict)


class Run:
    """One run of a task, as it is going on."""

    def __init__(self, attempt: int, worker: int | None) -> None:
        self.value = {"attempt": attempt, "worker": worker, "pid": os.getpid()}


class Recorder:
    """Adds to the history in this file. Any number of processes may do so at once."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)

    def note(self, what: str, *, pid: int | None = None, **said: Any) -> None:
        """Write one line. `pid` is this process, unless the moment is another's."""
        line = json.dumps({"what": what, "t": time.monotonic(), "pid": pid or os.getpid(), **said})
        os.write(self._file, f"\n{line}\n".encode())  # what another has left of its line is no part of this one

    @contextmanager
    def enqueueing(self, key: str) -> Iterator[Callable[[str], None]]:
        """Around an enqueue; what it gives is to be called with the id once enqueue has returned."""
        self.note("call", key=key)
        try:
            yield lambda job_id: self.note("ack", key=key, id=job_id)
        except Exception as error:
            self.note("refused", key=key, error=repr(error))
            raise

    @contextmanager
    def running(self, key: str, attempt: Any, **said: Any) -> Iterator[Run]:
        """Around all that a task does; `attempt` is its context, `room.current()`."""
        job = attempt.job
        who = {"key": key, "id": str(job.id), "attempt": job.attempt, "worker": job.worker}
        self.note("start", **who, crashes=job.crashes, **said)
        try:
            yield Run(job.attempt, job.worker)
        except BaseException as error:
            self.note("raised", **who, error=repr(error))
            raise
        self.note("end", **who)

    def recorded(self, result: Any) -> None:
        """An outcome is on disk: to be connected to `signals.task_finished`."""
        self.note("recorded", id=result.id, attempt=result.attempts, status=str(result.status))

    def slot(self, schedule: str, slot: str, attempt: Any) -> None:
        """A task runs for this slot of a schedule."""
        self.note("slot", id=str(attempt.job.id), schedule=schedule, slot=slot)

    def rolled_back(self, key: str) -> None:
        """The transaction that enqueued it was rolled back."""
        self.note("rolled back", key=key)

    def kill(self, pid: int) -> None:
        """To be called just before the process is killed: from here on its jobs may be run by others."""
        self.note("kill", pid=pid)

    def frozen(self, pid: int) -> None:
        """To be called just before it is stopped for longer than its lease."""
        self.note("frozen", pid=pid)

    def drained(self, pid: int) -> None:
        """To be called just before it is told to drain: what it does not end is given back, and costs no attempt."""
        self.note("drained", pid=pid)

    def request(self, *, is_ok: bool, began: float, error: str = "") -> None:
        """A request was answered, or not; `began` is of `time.monotonic()`."""
        self.note("request", is_ok=is_ok, began=began, error=error)

    @contextmanager
    def window(self) -> Iterator[None]:
        """Around what requests may fail of."""
        self.note("window opens")
        yield
        self.note("window closes")

    def census(self) -> None:
        """How much of everything this process has just now."""
        gc.collect()
        greenlets = sum(isinstance(thing, greenlet.greenlet) for thing in gc.get_objects())
        fds, threads = (len([*Path(f"/proc/self/{what}").iterdir()]) for what in ("fd", "task"))
        self.note("census", fds=fds, threads=threads, greenlets=greenlets)

    def close(self) -> None:
        os.close(self._file)


_FIELDS = ("what", "t", "pid", "key", "id", "attempt", "worker")


def read(path: str | os.PathLike[str]) -> list[Event]:
    """The history so far, in the order in which it was written."""
    events = []
    for line in filter(None, Path(path).read_text().splitlines()):
        try:
            said = json.loads(line)
        except json.JSONDecodeError:  # half a line
            continue
        known = {name: said.pop(name) for name in _FIELDS if name in said}
        events.append(Event(**known, more=said))
    return events
