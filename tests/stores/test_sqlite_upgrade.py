"""A file of an older version is brought up to date when it is opened: whole, or not at all."""

import re
import signal
import sqlite3
import subprocess
import sys
import textwrap
from contextlib import closing
from pathlib import Path

import pytest

from greenroom.job import Status
from greenroom.stores import SqliteStore
from greenroom.stores._file import SCHEMA
from greenroom.stores._rows import sql, to_row
from greenroom.testing import NOON, a_finished_job, a_job

VERSION_1 = Path(__file__).with_name("schema_1.sql").read_text("utf-8")
COLUMNS_1 = 21
JOBS = [
    a_job(),
    a_job(run_after=NOON * 2),
    a_job().claimed(1, NOON),
    *(a_finished_job(status=status, crashes=0) for status in Status if status is not Status.RUNNING),
]


@pytest.fixture
def path(tmp_path):
    """A file as version 1 left it, with a job of each kind."""
    path = tmp_path / "jobs.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.executescript(VERSION_1)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("INSERT INTO meta VALUES ('schema', 1)")
        connection.execute("INSERT INTO worker VALUES (1, 'gone', 1, 'here', 0, 0)")
        for job in JOBS:
            marks = ", ".join("?" * COLUMNS_1)
            connection.execute(f"INSERT INTO job VALUES ({marks})", to_row(job, NOON)[:COLUMNS_1])
    return path


def shape_of(path):
    """The columns of each table, and the indexes, as SQLite has understood them."""
    with closing(sqlite3.connect(path)) as connection:
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        columns = {name: connection.execute(f"PRAGMA table_info({name})").fetchall() for name in tables}
        made = connection.execute("SELECT name, sql FROM sqlite_master WHERE type <> 'table' AND sql IS NOT NULL")
        return columns, {name: re.sub(r"\s+", " ", text) for name, text in made}


def version_of(path):
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return connection.execute("SELECT value FROM meta WHERE key = 'schema'").fetchone()[0]


def test_each_job_of_an_older_file_is_as_it_was(path):
    with closing(SqliteStore(path)) as store:
        store.open()
        assert store.find(limit=100).jobs == JOBS[::-1]
        store.add([new := a_job(crashes=1)])
        assert store.get(new.id) == new
    assert version_of(path) == SCHEMA


def test_an_upgraded_file_is_what_a_new_one_is(path, tmp_path):
    for each in (path, tmp_path / "new.db"):
        store = SqliteStore(each)
        store.open()
        store.close()
    assert shape_of(path) == shape_of(tmp_path / "new.db")


def test_an_upgraded_file_is_opened_again_as_it_is(path):
    for _ in range(2):
        with closing(SqliteStore(path)) as store:
            store.open()
            assert store.find(limit=100).jobs == JOBS[::-1]


STATEMENTS = sum(len(sql(f"upgrade_{version}").split(";\n")) for version in range(2, SCHEMA + 1)) + SCHEMA - 1


@pytest.mark.integration
def test_if_it_is_killed_in_the_midst_the_file_is_of_one_version_or_the_other(path):
    child = """
        import os, signal, sys
        from greenroom.stores import SqliteStore, _file

        left = int(sys.argv[2])
        sound = _file.migrate

        class Mortal:
            def __init__(self, connection):
                self.connection = connection

            def execute(self, statement, *values):
                global left
                if not statement.startswith("SELECT"):
                    left -= 1
                    if left < 0:
                        os.kill(os.getpid(), signal.SIGKILL)
                return self.connection.execute(statement, *values)

        from greenroom.stores import _ledger
        _ledger.migrate = lambda connection, path: sound(Mortal(connection), path)
        store = SqliteStore(sys.argv[1])
        store.open()
        store.close()
    """
    ends, found = [], []
    for statements in range(STATEMENTS + 1):
        command = [sys.executable, "-c", textwrap.dedent(child), str(path), str(statements)]
        ends.append(subprocess.run(command, check=False, timeout=60).returncode)
        found.append(version_of(path))
    assert ends == [-signal.SIGKILL] * STATEMENTS + [0]
    assert found == [1] * STATEMENTS + [SCHEMA]
    with closing(SqliteStore(path)) as store:
        store.open()
        assert store.find(limit=100).jobs == JOBS[::-1]
