"""A glance at a store's file from outside: nothing is written, no worker registers, and no server is disturbed."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, Self

from greenroom.clock import SystemClock
from greenroom.errors import StoreUnavailable
from greenroom.job import Status
from greenroom.stores._fault import fault_of
from greenroom.stores._incarnation import is_over
from greenroom.stores._rows import READY, STATES, count_statuses

_TIMEOUT = 5.0  # seconds


class Worker(NamedTuple):
    """A life of a process. `state` is alive, stalled or dead."""

    id: int
    pid: int
    host: str
    state: str


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
        """Who has the store open, or had it when it died."""
        now = self._clock.now()
        found = []
        for number, name, pid, host, until in self._rows("SELECT id, name, pid, host, lease_until FROM worker"):
            state = "dead" if is_over(self._folder, name) else "alive" if until >= now else "stalled"
            found.append(Worker(number, pid, host, state))
        return found

    def counts(self) -> dict[Status, int]:
        """How many jobs there are of each status."""
        return count_statuses(dict(self._rows("SELECT state, count(*) FROM job GROUP BY state")))

    def overdue(self) -> int:
        """How many could run now."""
        now = self._clock.now()
        ((number,),) = self._rows(
            "SELECT count(*) FROM job WHERE state = ? OR (state = ? AND run_after <= ?)", READY, READY + 1, now
        )
        return int(number)

    def parked(self) -> list[tuple[str, str, int]]:
        """Tasks whose jobs cannot run, why, and how many there are."""
        return self._rows(
            "SELECT task, substr(note, 9), count(*) FROM job WHERE state IN (?, ?) AND note LIKE 'parked: %' "
            "GROUP BY task, note ORDER BY task LIMIT 20",
            READY,
            READY + 1,
        )

    def quarantined(self) -> list[tuple[str, int]]:
        """Tasks of which processes died again and again, and how many jobs of theirs are left alone for it."""
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
