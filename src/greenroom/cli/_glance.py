"""A glance at a store's file from outside: nothing is written, no worker registers, and no server is disturbed."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, Self

from greenroom.clock import SECOND, SystemClock
from greenroom.errors import StoreUnavailable
from greenroom.job import Status
from greenroom.stores._fault import fault_of
from greenroom.stores._incarnation import is_over
from greenroom.stores._rows import READY, SCHEDULED, STATES, SUSPECT, count_statuses

_TIMEOUT = 5.0  # seconds
_IS_PARKED = "ifnull(note, '') LIKE 'parked: %'"
_COUNTS_CRASHES = 2  # the schema from which on jobs know how often their process died
LATELY = 10 * SECOND  # within which a process that runs tasks takes a job that is due, if it has a slot


class Worker(NamedTuple):
    """A life of a process. `state` is alive, stalled or dead; `jobs` is how many it runs, or ran when it died."""

    id: int
    pid: int
    host: str
    state: str
    jobs: int
    has_lease: bool


class Due(NamedTuple):
    """The jobs that could run now."""

    jobs: int
    seconds: float  # since the first of them was
    has_takers: bool  # whether any job runs, or has begun lately


class Glance:
    """Raises StoreUnavailable if the file cannot be read."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._folder = path.with_name(path.name + ".workers")
        self._clock = SystemClock()

    def __enter__(self) -> Self:
        with self._explained():
            self._connection = sqlite3.connect(
                f"{self._path.as_uri()}?mode=ro", uri=True, isolation_level=None, timeout=_TIMEOUT
            )
            ((self.schema,),) = self._rows("SELECT value FROM meta WHERE key = 'schema'")
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def workers(self) -> list[Worker]:
        """Who has the store open, or had it when it died and left jobs behind.

        Who has died and left none is of no interest: most often it is a script that has come to its end.
        """
        now = self._clock.now()
        found = []
        rows = self._rows(
            "SELECT id, name, pid, host, lease_until, "
            "(SELECT count(*) FROM job WHERE job.state = 2 AND job.worker = worker.id) FROM worker"
        )
        for number, name, pid, host, until, jobs in rows:
            state = "dead" if is_over(self._folder, name) else "alive" if until >= now else "stalled"
            if jobs or state != "dead":
                found.append(Worker(number, pid, host, state, jobs, until >= now))
        return found

    def counts(self) -> dict[Status, int]:
        """How many jobs there are of each status."""
        return count_statuses(dict(self._rows("SELECT state, count(*) FROM job GROUP BY state")))

    def due(self) -> Due:
        """What could run now. What is parked could not: it is told of as such."""
        now = self._clock.now()
        ((jobs, since),) = self._rows(
            "SELECT count(*), min(max(run_after, enqueued_at)) FROM job "
            f"WHERE (state = ? OR state IN (?, ?) AND run_after <= ?) AND NOT {_IS_PARKED}",
            READY,
            SUSPECT,
            SCHEDULED,
            now,
        )
        # No worker says of itself whether it runs tasks: what it does has to.
        ((begun,),) = self._rows("SELECT max(started_at) FROM job")
        takes = any(worker.jobs for worker in self.workers() if worker.state == "alive")
        return Due(jobs, max(0, now - (since or now)) / SECOND, takes or (begun or 0) >= now - LATELY)

    def parked(self) -> list[tuple[str, str, int]]:
        """Tasks whose jobs cannot run, why, and how many there are."""
        return self._rows(
            f"SELECT task, substr(note, 9), count(*) FROM job WHERE state IN (?, ?) AND {_IS_PARKED} "
            "GROUP BY task, note ORDER BY task LIMIT 20",
            READY,
            SCHEDULED,
        )

    def quarantined(self) -> list[tuple[str, int]]:
        """Tasks of which processes died again and again, and how many jobs of theirs are left alone for it."""
        if self.schema < _COUNTS_CRASHES:
            return []
        return self._rows(
            "SELECT task, count(*) FROM job WHERE state = ? AND crashes > 0 GROUP BY task ORDER BY task LIMIT 20",
            STATES[Status.FAILED],
        )

    def _rows(self, statement: str, *values: object) -> list[Any]:
        with self._explained():
            return self._connection.execute(statement, values).fetchall()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, ValueError) as error:
            if isinstance(error, sqlite3.Error):
                raise fault_of(error, self._path) from error
            raise StoreUnavailable(
                f"sqlite:///{self._path} is not a store of greenroom's: it has no schema."
            ) from error
