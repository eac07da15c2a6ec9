import fcntl
import sqlite3
import stat
import subprocess
import sys
import textwrap
from contextlib import closing

import pytest
from gevent import spawn

from greenroom.errors import InvalidOption, NewerSchema, StoreUnavailable
from greenroom.stores import SqliteStore, _file
from greenroom.testing import a_job


@pytest.fixture
def path(tmp_path):
    return tmp_path / "jobs.db"


@pytest.fixture
def store(path):
    store = SqliteStore(path)
    yield store
    store.close()


def ask(store, statement):
    """What the writing connection answers."""
    return store._writer.run(lambda: store._ledger._keeper.connection().execute(statement).fetchone()[0])


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_only_its_owner_can_read_what_is_stored(store, path):
    store.open()
    store.add([a_job()])
    for suffix in ("", "-wal", "-shm", ".lock"):
        assert mode(path.with_name(path.name + suffix)) == 0o600
    folder = path.with_name(path.name + ".workers")
    assert mode(folder) == 0o700
    assert {mode(file) for file in folder.iterdir()} == {0o600}


def test_when_it_is_closed_nothing_but_the_database_and_what_belongs_to_it_is_left(store, path):
    store.open()
    store.add([a_job()])
    store.close()
    left = sorted(file.name for file in path.parent.iterdir())
    assert left == ["jobs.db", "jobs.db.ballast", "jobs.db.lock", "jobs.db.workers"]
    assert list(path.with_name("jobs.db.workers").iterdir()) == []


def test_by_default_each_commit_is_synced(store):
    store.open()
    assert ask(store, "PRAGMA synchronous") == 2  # FULL
    assert ask(store, "PRAGMA journal_mode") == "wal"


def test_durability_process_leaves_the_syncing_to_the_system(path):
    store = SqliteStore(path, durability="process")
    store.open()
    assert ask(store, "PRAGMA synchronous") == 1  # NORMAL
    assert ask(store, "PRAGMA journal_mode") == "wal"
    store.close()


def test_an_unknown_durability_is_refused(path):
    with pytest.raises(InvalidOption, match="durability='none' is not known: use \"disk\""):
        SqliteStore(path, durability="none")


def test_a_folder_is_refused(tmp_path):
    with pytest.raises(InvalidOption, match="is a folder: name a file in it"):
        SqliteStore(tmp_path).open()


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(StoreUnavailable, match=f"there is no folder {tmp_path}/nowhere. Make it"):
        SqliteStore(tmp_path / "nowhere" / "jobs.db").open()


@pytest.mark.parametrize("folder", ["/proc", "/sys"])  # not even root can write there
def test_a_folder_that_cannot_be_written_to_is_named(folder):
    with pytest.raises(StoreUnavailable, match=f"must be able to write to {folder}"):
        SqliteStore(f"{folder}/jobs.db").open()


@pytest.mark.parametrize("beside", ["jobs.db.lock", "jobs.db.workers"])
def test_what_cannot_be_made_beside_it_is_named(store, path, beside):
    obstacle = path.with_name(beside)
    (obstacle / "full").mkdir(parents=True) if beside.endswith("lock") else obstacle.touch()
    with pytest.raises(StoreUnavailable, match=beside):
        store.open()


def test_a_file_that_is_no_database_is_refused_and_left_alone(store, path):
    path.write_bytes(b"Dear diary, " * 1000)
    with pytest.raises(StoreUnavailable, match="file is not a database. It is some other file: name another"):
        store.open()
    assert path.read_bytes() == b"Dear diary, " * 1000


def test_a_store_of_a_later_version_is_refused_and_left_alone(store, path):
    store.open()
    store.close()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE meta SET value = 99 WHERE key = 'schema'")
    with pytest.raises(NewerSchema, match="has schema 99, and this greenroom knows schemas up to 2: a later version"):
        store.open()
    assert connection.execute("SELECT count(*) FROM worker").fetchone() == (0,)
    connection.close()


def test_a_store_that_did_not_open_can_be_opened_when_the_reason_is_gone(store, path):
    path.write_bytes(b"Dear diary, " * 1000)
    with pytest.raises(StoreUnavailable):
        store.open()
    with pytest.raises(StoreUnavailable, match=r"call open\(\) first"):
        store.add([a_job()])
    path.unlink()
    store.open()
    store.add([a_job()])


def test_the_schema_is_made_whole_or_not_at_all(store, path, monkeypatch):
    sound = _file.sql
    monkeypatch.setattr(_file, "sql", lambda verb: sound(verb) + ";\nCREATE NONSENSE")
    with pytest.raises(StoreUnavailable, match="NONSENSE"):
        store.open()
    connection = sqlite3.connect(path)
    assert connection.execute("SELECT * FROM sqlite_master").fetchall() == []
    connection.close()
    monkeypatch.undo()
    store.open()
    store.add([a_job()])


def test_processes_that_open_a_new_file_at_the_same_time_all_can(path):
    child = """
        import sys
        from greenroom.stores import SqliteStore
        store = SqliteStore(sys.argv[1])
        print("ready", flush=True)
        sys.stdin.readline()
        store.open()
        print(store.worker, flush=True)
        store.close()
    """
    command = [sys.executable, "-c", textwrap.dedent(child), str(path)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    children = [subprocess.Popen(command, **pipes) for _ in range(4)]
    assert [child.stdout.readline() for child in children] == ["ready\n"] * 4
    for child in children:
        child.stdin.write("go\n")
        child.stdin.flush()
    assert sorted(child.communicate()[0] for child in children) == ["1\n", "2\n", "3\n", "4\n"]


def test_a_new_file_that_another_makes_into_a_store_is_waited_for(store, path):
    with path.with_name("jobs.db.lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        opening = spawn(store.open)
        opening.join(0.1)
        assert not opening.ready()
        other.execute("ROLLBACK")
        other.close()
    opening.get()
    store.add([a_job()])


def test_a_full_disk_is_reported_and_storing_goes_on_when_there_is_room(store):
    store.open()
    store.add([kept := a_job()])
    pages = ask(store, "PRAGMA page_count")
    ask(store, f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StoreUnavailable, match="full. Make room on the disk; it is tried again by itself"):
        store.add([a_job(payload="x" * 100_000)])
    assert store.find().jobs == [kept]
    ask(store, f"PRAGMA max_page_count = {pages + 1000}")
    store.add([a_job(payload="x" * 100_000)])


def test_the_files_of_the_database_are_opened_by_sqlite_alone(path):
    """To close one that was opened by hand would drop the locks that SQLite holds on it."""
    child = """
        import os, sys
        opened = []

        def note(event, args):
            if event == "open" and isinstance(args[0], (str, os.PathLike)):
                name = os.path.basename(args[0])
                if name == "jobs.db" or (name in ("jobs.db-wal", "jobs.db-shm") and _keeper._open_here):
                    opened.append((name, bool(args[2] & os.O_EXCL)))

        sys.addaudithook(note)
        from greenroom.clock import ManualClock
        from greenroom.outcome import Succeeded
        from greenroom.stores import SqliteStore, _keeper
        from greenroom.stores.base import Claim
        from greenroom.testing import a_job, NOON

        clock = ManualClock()
        first, second = (SqliteStore(sys.argv[1], clock=clock) for _ in range(2))
        for _ in range(2):
            first.open()
            second.open()
            first.add([a_job()])
            (job,) = second.claim(Claim(NOON, {"greenlet": 1})).jobs
            second.renew(NOON)
            second.swap(job, job.after(Succeeded(None), NOON))
            first.expired(NOON, 10), first.get(1), first.find(), first.counts(), first.prune(NOON + 1, 10)
            second.close()
            first.close()
        # Made by hand once, when it was not there: O_EXCL opens nothing that exists. Its log, and the index of that,
        # are looked at while nobody here has them open.
        assert opened and set(opened) == {("jobs.db", True)}, opened
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(child), str(path)], check=True, timeout=60)


@pytest.mark.parametrize("table", ["auth_user", "job", "meta"])
def test_the_database_of_another_program_is_refused_and_left_as_it_is(store, path, table):
    with closing(sqlite3.connect(path)) as other:
        other.execute(f"CREATE TABLE {table} (id INTEGER)")
    before = path.read_bytes()
    with pytest.raises(InvalidOption) as refused:
        store.open()
    assert str(refused.value) == (
        f"sqlite:///{path} is another program's database, with tables such as {table!r}: name a file that only "
        "greenroom uses, such as 'sqlite:///greenroom.db'. It is made if it is not there."
    )
    assert path.read_bytes() == before
