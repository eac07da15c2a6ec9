"""A file that was damaged while nobody used it is refused, by name, and nothing of it is lost by that."""

import os
import resource
import signal
import subprocess
import sys
import textwrap
import threading
from math import inf
from pathlib import Path

import pytest

from greenroom.clock import ManualClock
from greenroom.errors import StoreCorrupt
from greenroom.stores import SqliteStore, _checkup, _inspection
from greenroom.stores._place import Place
from greenroom.stores._requests import Call
from greenroom.stores._wal import index_of, unread
from greenroom.testing import a_job
from tests.stores.kept import until

pytestmark = pytest.mark.integration

FILL = """
    import os, signal, sys
    from greenroom.stores import SqliteStore
    from greenroom.testing import a_job

    store = SqliteStore(sys.argv[1])
    store.open()
    for number in range(20):
        store.add([a_job(id=number + 1)])
    os.kill(os.getpid(), signal.SIGKILL)
"""
FRAME = 24 + 4096
LOCKS = Path("/proc/locks")


@pytest.fixture
def path(tmp_path):
    """A database whose process was killed, so that its jobs are in its log."""
    path = tmp_path / "jobs.db"
    filled = subprocess.run([sys.executable, "-c", textwrap.dedent(FILL), str(path)], check=False)
    assert filled.returncode == -signal.SIGKILL
    return path


@pytest.fixture
def store(path):
    store = SqliteStore(path)
    yield store
    store.close()


def beside(path, suffix):
    return path.with_name(path.name + suffix)


def flip(path, offset):
    with path.open("r+b") as file:
        file.seek(offset)
        byte = file.read(1)[0]
        file.seek(offset)
        file.write(bytes([byte ^ 1]))


def copies(path):
    return sorted(file.name for file in path.parent.glob("*.damaged-*"))


def test_after_a_kill_there_is_nothing_to_complain_of(store, path, caplog):
    store.open()
    assert sum(store.counts().values()) == 20
    assert not caplog.messages
    assert not copies(path)


def test_a_log_that_is_damaged_in_its_middle_is_not_read_up_to_there_and_no_further(store, path):
    flip(beside(path, "-wal"), 32 + 10 * FRAME + 100)
    with pytest.raises(
        StoreCorrupt, match=rf"{path} cannot be used: .*log.* restore a backup.* A copy is kept as {path}"
    ):
        store.open()
    assert copies(path) == [f"jobs.db.damaged-{path.stat().st_ino}", f"jobs.db.damaged-{path.stat().st_ino}-wal"]


def test_so_it_is_when_the_machine_has_been_off_since(store, path):
    beside(path, ".lock").write_bytes(b"")
    flip(beside(path, "-wal"), 32 + 10 * FRAME + 100)
    with pytest.raises(StoreCorrupt, match="its log jobs.db-wal is damaged"):
        store.open()


@pytest.mark.parametrize("take", [lambda log: log.unlink(), lambda log: log.write_bytes(b"")], ids=["away", "empty"])
def test_a_log_that_was_taken_away_is_missed(store, path, take):
    take(beside(path, "-wal"))
    with pytest.raises(StoreCorrupt, match=r"pages are not in its log jobs.db-wal any more .* jobs.db-shm is to go"):
        store.open()


def test_a_file_without_its_log_is_not_taken_for_a_new_one(store, path):
    for suffix in ("-wal", "-shm"):
        beside(path, suffix).unlink()
    with pytest.raises(
        StoreCorrupt, match=r"it is empty, and was in use before; if that is right, delete jobs.db.ballast"
    ):
        store.open()
    beside(path, ".ballast").unlink()
    for copy in copies(path):
        (path.parent / copy).unlink()
    store.open()
    assert sum(store.counts().values()) == 0


def test_what_was_found_to_be_damaged_is_refused_again_until_its_copy_is_moved_away(store, path):
    whole = beside(path, "-wal").read_bytes()
    beside(path, "-wal").write_bytes(b"")
    for _ in range(3):
        with pytest.raises(StoreCorrupt):
            store.open()
    kept = copies(path)
    assert len(kept) == 2
    with pytest.raises(
        StoreCorrupt, match=rf"it was found to be damaged before. Once {path}.damaged-\d+ is moved away"
    ):
        store.open()
    for copy in kept:
        (path.parent / copy).unlink()
    beside(path, "-wal").write_bytes(whole)
    store.open()
    assert sum(store.counts().values()) == 20


def test_the_rest_of_a_commit_that_was_cut_short_is_left_out_and_said(store, path, caplog):
    beside(path, ".lock").write_bytes(b"")  # the machine was off
    beside(path, "-shm").unlink()
    log = beside(path, "-wal")
    flip(log, log.stat().st_size - 4)
    store.open()
    assert sum(store.counts().values()) == 19
    assert any("were not whole, and are left out, as after a power cut" in line for line in caplog.messages)


def test_a_file_that_is_gone_is_made_anew_and_that_is_said(store, path, caplog):
    for suffix in ("", "-wal", "-shm"):
        beside(path, suffix).unlink()
    store.open()
    assert caplog.messages == [
        f"sqlite:///{path}: there was a store, and its file is not there any more. A new one is made."
    ]


@pytest.fixture
def large_and_damaged(store, path, monkeypatch):
    """A file that counts as too large to be checked before it is used, and is not whole."""
    store.open()
    store.add([a_job(payload="x" * 5000) for _ in range(50)])
    store.close()
    content = bytearray(path.read_bytes())
    content[20 * 4096 :] = bytes(len(content) - 20 * 4096)
    path.write_bytes(content)
    monkeypatch.setattr(_inspection, "SMALL", 0)
    monkeypatch.setattr(_checkup, "SMALL", 0)


@pytest.mark.usefixtures("large_and_damaged")
def test_what_is_too_large_to_be_checked_first_is_checked_as_soon_as_nothing_is_written(store, path, monkeypatch):
    monkeypatch.setattr(_checkup, "LATEST", 3600.0)
    store.open()
    until(lambda: copies(path))  # asks nothing of the store, which would let it look whether it is time
    until(lambda: "A copy is kept as" in (store.trouble or ""))
    with pytest.raises(StoreCorrupt, match="A copy is kept as"):
        store.add([a_job()])


@pytest.mark.usefixtures("large_and_damaged")
def test_and_after_a_while_even_though_something_always_is(store, path, monkeypatch):
    monkeypatch.setattr(_checkup, "REST", 3600.0)
    monkeypatch.setattr(_checkup, "LATEST", 0.1)
    store.open()
    with pytest.raises(StoreCorrupt, match=str(path)):
        until(lambda: store.renew(1 << 60))


def test_damage_that_is_found_in_the_midst_of_a_commit_is_not_forgotten_after_it(store, caplog):
    store.open()
    damage = StoreCorrupt("found just now.")
    store._writer.ask(Call(lambda: store._ledger._keeper.note_damage(damage)))
    with pytest.raises(StoreCorrupt, match="found just now"):
        store.add([a_job()])
    assert "found just now" in store.trouble
    assert not [line for line in caplog.messages if "works again" in line]


def locks_on(path):
    """SQLite's, as the kernel has them: of this process, on the file's index of the log."""
    place = beside(path, "-shm").stat()
    lines = [line.split() for line in LOCKS.read_text().splitlines()]
    return [line for line in lines if line[4] == str(os.getpid()) and line[5].endswith(f":{place.st_ino}")]


@pytest.mark.skipif(not LOCKS.exists(), reason="nothing else tells of locks")
def test_a_file_that_is_closed_and_opened_while_it_is_checked_stays_locked(store, path, monkeypatch):
    store.open()
    for _ in range(50):
        store.add([a_job() for _ in range(1000)])
    store.close()
    monkeypatch.setattr(_checkup, "SMALL", 0)
    monkeypatch.setattr(_checkup, "REST", 0.0)
    under_way = 0
    for _ in range(10):
        store.open()
        assert locks_on(path)
        checkup = store._ledger._checkup
        until(lambda checkup=checkup: checkup._connection)
        under_way += checkup._running.locked()
        store.close()
    assert under_way, "it was never closed while it was checked"


def test_a_checkup_is_put_off_by_what_is_written(path, monkeypatch):
    monkeypatch.setattr(_checkup, "REST", 1000.0)
    monkeypatch.setattr(_checkup, "LATEST", 1900.0)
    checkup = _checkup.Checkup(path, Place(path), durability="disk", damaged=pytest.fail)
    checkup._clock = clock = ManualClock()
    assert checkup.look() == inf  # it is not open
    checkup.opened()
    assert checkup.look() == inf  # it is small, and was checked when it was opened

    monkeypatch.setattr(_checkup, "SMALL", 0)
    checkup.opened()
    clock.advance(600)
    assert checkup.look() == 400
    checkup.written()
    assert checkup.look() == 1000
    clock.advance(950)
    checkup.written()
    assert checkup.look() == 350


def test_a_checkup_for_which_there_is_no_thread_is_left_out_and_that_is_said(path, monkeypatch, caplog):
    monkeypatch.setattr(_checkup, "SMALL", 0)
    monkeypatch.setattr(_checkup, "REST", 0.0)
    checkup = _checkup.Checkup(path, Place(path), durability="disk", damaged=pytest.fail)
    checkup.opened()
    before = resource.getrlimit(resource.RLIMIT_AS)
    threading.stack_size(1 << 40)  # more than there is address space for
    resource.setrlimit(resource.RLIMIT_AS, (1 << 39, before[1]))
    try:
        assert checkup.look() == inf
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)
        threading.stack_size(0)
    assert f"sqlite:///{path} could not be checked: can't start new thread" in caplog.messages
    checkup.close()


def test_a_log_says_how_much_of_it_is_not_read(path):
    log = beside(path, "-wal")
    frames = index_of(beside(path, "-shm")).frames
    assert unread(log, frames) == (0, False)
    assert unread(log, 2) == (frames - 2, True)
    assert unread(log.with_name("nowhere"), 0) == (0, False)


def test_an_index_that_is_torn_says_nothing(path):
    index = beside(path, "-shm")
    flip(index, 16)
    assert index_of(index) is None
    assert index_of(index.with_name("nowhere")) is None
