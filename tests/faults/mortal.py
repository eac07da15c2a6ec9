"""What is done to a store while its process is killed at the n-th write or sync: to be run with nth.so preloaded.

It reads orders, one a line, and carries out each in a child of its own: a fork of this process, which has all that it
needs loaded and nothing open. An act is a generator: what comes before its first `yield` is preparation, and what
comes between two is one step. A step that was made is acknowledged with a byte in the folder's file `acks`.
"""

import ctypes
import json
import os
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

from greenroom.clock import ManualClock
from greenroom.outcome import Cancelled, Crashed, Failed, Released, Retried, Succeeded
from greenroom.stores import SqliteStore
from greenroom.stores.base import LEASE, Claim, Tick
from greenroom.testing import NOON, a_finished_job, a_job, a_mark, an_error

NTH_FILES = "jobs.db"
SCHEMA_1 = Path(__file__).parents[1] / "stores" / "schema_1.sql"


class Counter:
    """The preloaded library."""

    def __init__(self) -> None:
        self._library = ctypes.CDLL(None)
        self._library.nth_arm.argtypes = ctypes.c_long, ctypes.c_long

    def arm(self, n: int, how: int) -> None:
        self._library.nth_arm(n, how)

    def count(self) -> int:
        return self._library.nth_count()


def opened(path: Path) -> SqliteStore:
    store = SqliteStore(path, clock=ManualClock())
    store.open()
    return store


def running(store: SqliteStore, number: int) -> list:
    store.add([a_job() for _ in range(number)])
    return store.claim(Claim(NOON, {"greenlet": number})).jobs


def enqueue(path: Path) -> Iterator[None]:
    store = opened(path)
    yield
    for number in (1, 1, 5, 300, 1):
        store.add([a_job() for _ in range(number)])
        yield
    store.add([a_job().claimed(store.worker, NOON)])  # the local hand-off
    yield


def claim(path: Path) -> Iterator[None]:
    store = opened(path)
    store.add([a_job() for _ in range(40)] + [a_job(run_after=NOON - 1, crashes=2)])
    yield
    for number in (1, 5, 20):
        store.claim(Claim(NOON, {"greenlet": number}))
        yield
    store.claim(Claim(NOON, {"greenlet": 1}, suspect=True))
    yield


def settle(path: Path) -> Iterator[None]:
    store = opened(path)
    jobs = running(store, 30)
    yield
    store.swap(jobs[0], jobs[0].after(Succeeded('"done"'), NOON))
    yield
    outcomes = [Succeeded("1"), Failed(an_error()), Cancelled("no"), Released(NOON)]
    store.swap_all([(job, job.after(outcomes[number % 4], NOON)) for number, job in enumerate(jobs[1:])])
    yield


def retry(path: Path) -> Iterator[None]:
    store = opened(path)
    jobs = running(store, 2)
    store.add([failed := a_finished_job()])
    yield
    for job in jobs:
        store.swap(job, job.after(Retried(NOON + 1, an_error()), NOON))
        yield
    store.swap(failed, failed.again(NOON))
    yield


def rescue(path: Path) -> Iterator[None]:
    if not os.fork():
        running(opened(path), 9)
        os._exit(0)  # with what it runs
    os.wait()
    store = opened(path)
    yield
    lost = [job for job, _ in store.expired(NOON, 100)]
    store.swap_all([(job, job.after(Crashed(an_error(), 3), NOON)) for job in lost])
    yield
    store.expired(NOON, 100)  # and the dead are buried
    yield


def cron(path: Path) -> Iterator[None]:
    store = opened(path)
    mark = a_mark()
    store.tick([Tick(None, mark)])
    yield
    for slot in range(NOON, NOON + 3):
        new = mark._replace(slot=slot)
        store.tick([Tick(mark, new, [a_job(), a_job()])])
        mark = new
        yield


def prune(path: Path) -> Iterator[None]:
    store = opened(path)
    store.add([a_finished_job() for _ in range(100)])
    yield
    store.prune(NOON + LEASE, 50)
    yield


def migrate(path: Path) -> Iterator[None]:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.executescript(SCHEMA_1.read_text("utf-8"))
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("INSERT INTO meta VALUES ('schema', 1)")
        for number in range(50):
            connection.execute(
                "INSERT INTO job (id, task, payload, queue_name, lane, priority, max_attempts, run_after, "
                "enqueued_at, state, attempt, version) "
                "VALUES (?, 'app.send', '[]', 'mail', 'greenlet', 0, 3, 0, 0, 0, 0, 0)",
                (number,),
            )
    yield
    opened(path)
    yield


def create(path: Path) -> Iterator[None]:
    yield
    opened(path)
    yield


def close(path: Path) -> Iterator[None]:
    store = opened(path)
    store.add([a_job(payload="x" * 500) for _ in range(100)])
    yield
    store.close()  # all that is in the log goes into the file
    yield


def go_on(path: Path) -> Iterator[None]:
    """Not to be killed: whatever was left can be worked with."""
    store = opened(path)
    before = len(store.find(limit=10_000).jobs)
    for job, _ in store.expired(NOON, 1000):
        assert store.swap(job, job.after(Released(NOON), NOON))
    jobs = [a_job(id=(1 << 62) + number) for number in range(3)]
    store.add(jobs)
    taken = store.claim(Claim(NOON, {"greenlet": 10_000}, suspect=True)).jobs
    assert all(store.swap_all([(job, job.after(Succeeded(None), NOON)) for job in taken]))
    assert len(store.find(limit=10_000).jobs) == before + 3
    yield


def halting(path: Path) -> Iterator[None]:
    """A planted bug: what is one step is two transactions."""
    store = opened(path)
    yield
    store.add([a_job()])
    store.add([a_job()])
    yield


def hasty(path: Path) -> Iterator[None]:
    """A planted bug: it is acknowledged before it is on disk."""
    opened(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        yield
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("UPDATE meta SET value = value")
        connection.execute("INSERT INTO meta VALUES ('hasty', 1)")
        yield
        connection.execute("COMMIT")
        yield


PLANTED = (halting, hasty)
ACTS: dict[str, Callable[[Path], Iterator[None]]] = {
    act.__name__.replace("_", " "): act
    for act in (enqueue, claim, settle, retry, rescue, cron, prune, migrate, create, close, go_on, *PLANTED)
}


def play(counter: Counter, *, act: str, folder: str, steps: int, n: int, how: int) -> int:
    """Do so many steps of the act, or be killed at the n-th call; give how many calls there were."""
    acks = os.open(Path(folder) / "acks", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    made = ACTS[act](Path(folder) / NTH_FILES)
    next(made)
    counter.arm(n, how)
    for number, _ in enumerate(made, 1):
        os.write(acks, b".")
        if number == steps:
            break
    count = counter.count()
    counter.arm(0, 0)
    return count


def main() -> None:
    counter = Counter()
    for line in sys.stdin:
        hear, say = os.pipe()
        child = os.fork()
        if not child:
            os.write(say, b"%d" % play(counter, **json.loads(line)))
            os._exit(0)
        os.close(say)
        _, status = os.waitpid(child, 0)
        with os.fdopen(hear) as said:
            answer = {"status": os.waitstatus_to_exitcode(status), "count": int(said.read() or 0)}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
