"""What may befall a database file while it is in use: each is told, nothing is acknowledged that would be lost, and
what can get well gets well by itself."""

import os
import resource
import shutil
import sqlite3
from contextlib import suppress
from pathlib import Path

import gevent
import pytest

from greenroom.clock import SystemClock
from greenroom.errors import StoreCorrupt, StoreFull, StoreGone, StoreUnavailable
from greenroom.job import Status
from greenroom.outcome import Succeeded
from greenroom.stores import SqliteStore, _keeper
from greenroom.stores._ballast import SIZE
from greenroom.stores._file import migrate, prepare
from greenroom.stores.base import Claim
from greenroom.testing import a_job
from tests.faults.disks import SmallDisk
from tests.stores.kept import until

pytestmark = pytest.mark.integration


@pytest.fixture(autouse=True)
def _look_often(monkeypatch):
    monkeypatch.setattr(_keeper, "LOOK", 0.05)
    monkeypatch.setattr("greenroom.stores._ledger.LOOK", 0.05)


@pytest.fixture
def disk(tmp_path):
    with SmallDisk(tmp_path / "disk", 8 * SIZE) as disk:
        yield disk


@pytest.fixture
def make_store():
    made = []

    def make(path):
        made.append(SqliteStore(path))
        made[-1].open()
        return made[-1]

    yield make
    for store in made:
        store.close()


@pytest.fixture
def store(make_store, tmp_path):
    (tmp_path / "data").mkdir()
    return make_store(tmp_path / "data" / "jobs.db")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "data" / "jobs.db"


def claim(store, slots):
    return store.claim(Claim(SystemClock().now(), {"greenlet": slots})).jobs


def finish(store, jobs, result="{}"):
    now = SystemClock().now()
    return store.swap_all([(job, job.after(Succeeded(result), now)) for job in jobs])


def fill_up(store, disk):
    """Fill the disk, and the log's own room too, until somebody who enqueues is refused."""
    disk.fill()
    with pytest.raises(StoreFull, match=r"full\. Make room on the disk; it is tried again by itself\.$"):
        add_for_ever(store)


def add_for_ever(store):
    while True:
        store.add([a_job(payload="x" * 100_000)])


def test_on_a_full_disk_what_runs_is_recorded_and_nothing_new_is_taken(make_store, disk):
    store = make_store(disk.folder / "jobs.db")
    store.add([a_job(run_after=0) for _ in range(100)])
    running = claim(store, 50)
    fill_up(store, disk)
    before = sum(store.counts().values())
    assert finish(store, running, '"a result of some length"' * 20) == [True] * 50
    assert store.counts()[Status.SUCCESSFUL] == 50
    with pytest.raises(StoreFull):
        claim(store, 1)
    with pytest.raises(StoreFull):
        store.add([a_job()])
    assert sum(store.counts().values()) == before
    assert "disk is full" in store.trouble


def test_when_there_is_room_again_it_gets_well_by_itself(make_store, disk):
    store = make_store(disk.folder / "jobs.db")
    store.add([a_job()])
    fill_up(store, disk)
    gevent.sleep(0.2)
    assert store.trouble is not None
    disk.empty()
    until(lambda: store.trouble is None)
    assert (disk.folder / "jobs.db.ballast").stat().st_size == SIZE
    store.add([kept := a_job()])
    assert store.get(kept.id) == kept


def test_a_store_can_be_opened_on_a_full_disk(make_store, disk):
    store = make_store(disk.folder / "jobs.db")
    store.add([kept := a_job()])
    store.close()
    disk.fill()
    again = make_store(disk.folder / "jobs.db")
    assert again.get(kept.id) == kept


def test_a_file_that_is_opened_at_the_second_try_alone_is_open_once(tmp_path, caplog):
    prepare(path := tmp_path / "jobs.db")

    def open_and_close(make_ready):
        keeper = _keeper.Keeper(path, durability="disk")
        keeper.open(make_ready)
        keeper.close()

    def fill_up_once(connection):
        if not tries:
            tries.append(1)
            connection.execute("PRAGMA max_page_count = 1")
            connection.execute("CREATE TABLE large AS SELECT zeroblob(1000000)")

    tries = []
    open_and_close(lambda connection: migrate(connection, path))
    open_and_close(fill_up_once)
    assert tries
    assert "opened twice" not in caplog.text
    assert path not in _keeper._open_here, "or it would never be looked at again before it is used"


def test_trouble_is_told_once_and_so_is_its_end(make_store, disk, caplog):
    store = make_store(disk.folder / "jobs.db")
    fill_up(store, disk)
    for _ in range(5):
        with pytest.raises(StoreFull):
            store.add([a_job()])
    disk.empty()
    until(lambda: store.trouble is None)
    told = [record.getMessage() for record in caplog.records if record.name == "greenroom.store"]
    assert told == [
        f"{store.url} cannot be used: database or disk is full. Make room on the disk; it is tried again by itself.",
        f"{store.url} works again; before, it was: StoreFull",
    ]


def delete(path):
    path.unlink()


def move(path):
    path.rename(path.with_name("elsewhere.db"))


def move_its_folder(path):
    path.parent.rename(path.parent.with_name("elsewhere"))


def replace(path):
    other = path.with_name("other.db")
    shutil.copy(path, other)
    other.rename(path)


TAKEN_AWAY = pytest.mark.parametrize("take_away", [delete, move, move_its_folder, replace])


@TAKEN_AWAY
def test_nothing_is_acknowledged_once_the_file_was_taken_away(store, path, take_away):
    store.add([a_job()])
    assert sum(store.counts().values()) == 1
    take_away(path)
    with pytest.raises(StoreGone, match=r"somebody deleted, moved or replaced it.* Put the same file back"):
        store.add([a_job()])
    with pytest.raises(StoreGone):
        claim(store, 1)
    assert sum(store.counts().values()) >= 1, "what it held can still be read"


@TAKEN_AWAY
def test_it_is_noticed_though_nobody_asks_for_anything(store, path, take_away, caplog):
    store.add([a_job()])
    take_away(path)
    until(lambda: store.trouble)
    assert "deleted, moved or replaced" in store.trouble
    assert [record.levelname for record in caplog.records if "deleted, moved" in record.getMessage()] == ["ERROR"]


def test_no_new_file_is_made_in_its_place(store, path):
    delete(path)
    until(lambda: store.trouble)
    with pytest.raises(StoreGone):
        store.add([a_job()])
    store.close()
    assert not path.exists()


def test_when_the_same_file_is_back_it_goes_on(store, path):
    store.add([first := a_job()])
    move_its_folder(path)
    until(lambda: store.trouble)
    path.parent.with_name("elsewhere").rename(path.parent)
    until(lambda: store.trouble is None)
    store.add([second := a_job()])
    assert store.find().jobs[:1] == [second]
    assert store.get(first.id) == first


@pytest.mark.parametrize("beside", ["-wal", "-shm"])
def test_what_sqlite_keeps_beside_it_is_watched_too(store, path, beside):
    store.add([a_job()])
    gevent.sleep(0.2)  # it has looked
    path.with_name(f"jobs.db{beside}").unlink()
    until(lambda: store.trouble)
    with pytest.raises(StoreGone, match=f"jobs.db{beside} is not there any more"):
        store.add([a_job()])


def test_a_file_that_was_emptied_is_not_written_to_any_more(store, path):
    store.add([a_job()])
    os.truncate(path, 0)
    with pytest.raises(StoreCorrupt, match="was emptied while it was in use"):
        store.add([a_job()])
    with pytest.raises(StoreCorrupt):
        claim(store, 1)
    assert "emptied" in store.trouble


def test_a_log_that_cannot_be_moved_to_the_file_is_told(store, path, monkeypatch):
    monkeypatch.setattr(_keeper, "LOG_CAP", 18 << 20)
    store.add([a_job()])
    reader = sqlite3.connect(path, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM job").fetchone()
    for _ in range(25):
        store.add([a_job(payload="x" * 1_000_000)])
    until(lambda: store.trouble)
    assert "jobs.db-wal has grown to" in store.trouble
    store.add([a_job()])  # it goes on
    reader.close()
    store.add([a_job()])
    store.add([a_job()])
    until(lambda: store.trouble is None)
    assert path.with_name("jobs.db-wal").stat().st_size <= 17 << 20


def test_nobody_who_has_read_keeps_the_log_from_being_moved_to_the_file(store):
    store.add([a_job() for _ in range(10)])
    store.find(), store.counts(), store.prune(0, 10)
    moved = store._writer.run(
        lambda: store._ledger.connection().execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    )
    assert moved[0] == 0


def test_when_no_more_files_can_be_opened_that_is_said(tmp_path):
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    store = SqliteStore(tmp_path / "jobs.db")
    most = max(int(file.name) for file in Path("/proc/self/fd").iterdir())
    resource.setrlimit(resource.RLIMIT_NOFILE, (most + 1, limits[1]))
    taken = []
    try:
        with suppress(OSError):
            while True:
                taken.append(os.dup(1))
        with pytest.raises(StoreUnavailable, match=r"\(Too many open files\)\. Find who leaves files open"):
            store.open()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        for file in taken:
            os.close(file)
    store.open()
    store.close()
