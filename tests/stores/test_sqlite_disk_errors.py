"""A disk that fails, call by call: what is acknowledged is stored, what is not is told, and it gets well again."""

import errno
import logging
import os
import sys

import gevent
import pytest

from greenroom.clock import SystemClock
from greenroom.errors import StoreError, StoreFull, StoreReadOnly, StoreUnavailable
from greenroom.job import Status
from greenroom.outcome import Succeeded
from greenroom.stores import SqliteStore
from greenroom.stores.base import Claim
from greenroom.testing import a_job
from greenroom.testing._heart import Heart
from tests.faults.faultfs import FaultFs
from tests.faults.stored import Stored
from tests.stores.kept import until

pytestmark = pytest.mark.integration


@pytest.fixture(autouse=True)
def _look_often(monkeypatch):
    monkeypatch.setattr("greenroom.stores._keeper.LOOK", 0.05)
    monkeypatch.setattr("greenroom.stores._ledger.LOOK", 0.05)


@pytest.fixture(scope="module")
def mounted(tmp_path_factory):
    with FaultFs(tmp_path_factory.mktemp("faults")) as disk:
        yield disk


@pytest.fixture
def disk(mounted):
    yield mounted
    mounted.heal()


@pytest.fixture
def path(disk, request):
    folder = disk.path / f"{abs(hash(request.node.name))}"
    folder.mkdir()
    return folder / "jobs.db"


@pytest.fixture
def store(path, disk):
    store = SqliteStore(path)
    store.open()
    yield store
    disk.heal()
    store.close()


def claim(store, slots):
    return store.claim(Claim(SystemClock().now(), {"greenlet": slots})).jobs


def finish(store, job):
    now = SystemClock().now()
    return store.swap(job, job.after(Succeeded('"done"'), now))


def test_what_could_not_be_synced_is_not_acknowledged_and_the_sync_is_not_tried_again(store, path, disk):
    worker = store.worker
    store.add([kept := a_job(run_after=0)])
    connection = store._ledger._keeper.connection()
    disk.fail("fsync", errno.EIO, match="-wal")
    for _ in range(3):
        with pytest.raises(StoreUnavailable, match=f"sqlite:///{path} cannot be used: disk I/O error"):
            store.add([a_job()])
    assert "disk I/O error" in store.trouble
    disk.heal()
    until(lambda: store.trouble is None)
    assert store._ledger._keeper.connection() is not connection
    assert store.worker == worker
    (claimed,) = [job for job in claim(store, 10) if job.id == kept.id]
    assert finish(store, claimed)


def test_an_outcome_that_could_not_be_synced_is_recorded_later(store, disk):
    store.add([a_job(run_after=0)])
    (running,) = claim(store, 1)
    disk.fail("fsync", errno.EIO, match="-wal", times=1)
    with pytest.raises(StoreUnavailable):
        finish(store, running)
    until(lambda: store.trouble is None)
    finish(store, running)  # it may have got there after all
    assert store.get(running.id).status is Status.SUCCESSFUL


@pytest.mark.parametrize(
    ("number", "kind", "remedy"),
    [
        (errno.EROFS, StoreReadOnly, "must be able to write"),
        (errno.ENOSPC, StoreFull, "Make room on the disk"),
        (errno.EDQUOT, StoreFull, "Make room on the disk"),
        (errno.EIO, StoreUnavailable, "See the log of the disk"),
    ],
    ids=errno.errorcode.get,
)
def test_a_disk_that_refuses_to_be_written_to_is_told_by_its_name(store, disk, number, kind, remedy):
    store.add([kept := a_job()])
    assert store.get(kept.id) == kept
    disk.fail("write", number)
    disk.fail("create", number)
    with pytest.raises(kind, match=remedy) as told:
        store.add([a_job()])
    assert type(told.value) is kind
    assert store.get(kept.id) == kept, "what is stored can still be read"
    assert store.trouble
    disk.heal()
    until(lambda: store.trouble is None)
    store.add([a_job()])


def test_a_store_on_a_disk_that_is_read_only_does_not_open(path, disk):
    other = SqliteStore(path.with_name("other.db"))
    for call in ("write", "create", "truncate"):
        disk.fail(call, errno.EROFS)
    with pytest.raises(
        StoreReadOnly, match="other.db cannot be used: .*Read-only file system.*must be able to write"
    ):
        other.open()


def test_a_slow_disk_makes_storing_slow_and_nothing_else(store, disk):
    disk.slow(0.3, match="-wal")
    with Heart() as heart:
        adding = [gevent.spawn(store.add, [a_job()]) for _ in range(10)]
        gevent.joinall(adding, raise_error=True)
    assert heart.beats > 20, f"{heart.beats} beats while the disk synced for 0.3 s and more"
    assert sum(store.counts().values()) == 10


CALLS = range(0, 60, int(os.environ.get("GREENROOM_EVERY_CALL", "6")))


@pytest.mark.slow
@pytest.mark.parametrize("call", ["any", "fsync"])
def test_whichever_call_fails_all_that_was_acknowledged_is_stored(path, disk, call):
    """The n-th call of enqueue, claim and settle fails, once, for n = 0, 6, 12, ..."""
    logging.getLogger("greenroom.store").setLevel(logging.CRITICAL)
    refused = 0
    try:
        for after in CALLS:
            database = path.with_name(f"{call}{after}.db")
            refused += play(database, disk, call, after)
    finally:
        logging.getLogger("greenroom.store").setLevel(logging.NOTSET)
    sys.stdout.write(
        f"{len(CALLS)} times the n-th call ({call}) failed: {refused} requests refused, 0 acknowledged lost\n"
    )
    assert refused


def play(database, disk, call, after):
    """A few of each; gives how many requests were refused."""
    store = SqliteStore(database)
    store.open()
    acknowledged, ended, refused = [], [], 0
    disk.fail(call, errno.EIO, match=database.name, after=after, times=1)
    for _ in range(4):
        job = a_job(run_after=0)
        try:
            store.add([job])
            acknowledged.append(job.id)
        except StoreError:
            refused += 1
        try:
            ended += [claimed.id for claimed in claim(store, 1) if finish(store, claimed)]
        except StoreError:
            refused += 1
    disk.heal()
    until(lambda: store.trouble is None)
    store.close()
    stored = Stored.of(database)
    assert stored.integrity == "ok"
    assert {str(job_id) for job_id in acknowledged} <= stored.rows.keys()
    assert all(stored.rows[str(job_id)].is_finished for job_id in ended)
    return refused
