"""What is stored at the end: the rows of jobs, and what else is in the file and beside it.

It is read only when no process has the database open any more: to close it drops the locks of whoever has.
"""

import os
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

SUSPECT, READY, LATER, RUNNING, SUCCESSFUL, FAILED, CANCELLED = range(-1, 6)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A stored job."""

    id: str
    state: int
    attempt: int
    max_attempts: int
    version: int
    worker: int | None
    started_at: int | None
    finished_at: int | None
    result: str | None
    crashes: int

    @property
    def is_finished(self) -> bool:
        return self.state >= SUCCESSFUL


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What is in the file, and beside it."""

    rows: dict[str, Row]
    workers: tuple[int, ...] = ()
    lives: tuple[str, ...] = ()  # files in the folder of the workers
    integrity: str = "ok"

    @classmethod
    def of(cls, database: str | os.PathLike[str]) -> "Stored":
        """Read it. Nobody may have it open."""
        columns = list(Row.__slots__)
        folder = Path(f"{database}.workers")
        with closing(sqlite3.connect(database)) as connection:
            found = connection.execute(f"SELECT {', '.join(columns)} FROM job")
            rows = [Row(**dict(zip(columns, (str(row[0]), *row[1:]), strict=True))) for row in found]
            return cls(
                rows={row.id: row for row in rows},
                workers=tuple(number for (number,) in connection.execute("SELECT id FROM worker")),
                lives=tuple(file.name for file in folder.iterdir()) if folder.is_dir() else (),
                integrity="\n".join(line for (line,) in connection.execute("PRAGMA integrity_check")),
            )
