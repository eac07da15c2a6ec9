"""The file lock: one process at a time, and none waits for ever for one that was stopped."""

import fcntl
import os
import signal
import subprocess
import sys
from contextlib import closing

import pytest
from gevent import Timeout
from gevent.event import Event

from greenroom import Greenroom, StoreBusy
from greenroom.stores import SqliteStore
from greenroom.stores._lock import FileLock
from greenroom.testing import a_job

PATIENCE = 20.0


@pytest.fixture(autouse=True)
def _no_test_waits_for_ever(monkeypatch):
    monkeypatch.setattr("greenroom.stores._lock.PATIENCE", 0.3)
    with Timeout(60):
        yield


@pytest.fixture
def path(tmp_path):
    return tmp_path / "jobs.db.lock"


class Other:
    """Another process, as far as the lock is concerned: it is held by an open file, not by who has opened it."""

    def __init__(self, path):
        self._file = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)

    def take(self):
        fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def let_go(self):
        fcntl.flock(self._file, fcntl.LOCK_UN)

    def close(self):
        os.close(self._file)


@pytest.fixture
def other(path):
    with closing(Other(path)) as other:
        yield other


@pytest.fixture
def lock(path):
    with closing(FileLock(path)) as lock:
        yield lock


def until(happens):
    with Timeout(PATIENCE, AssertionError("waited in vain")):
        while not happens():
            Event().wait(0.005)


def is_free(other):
    try:
        other.take()
    except BlockingIOError:
        return False
    other.let_go()
    return True


def test_others_are_kept_out_until_it_is_left(lock, other):
    with lock:
        assert not is_free(other)
    assert is_free(other)


def test_who_waits_comes_in_when_the_other_leaves(lock, other, monkeypatch):
    from greenroom._native import start_thread

    monkeypatch.setattr("greenroom.stores._lock.PATIENCE", PATIENCE)
    for _ in range(3):
        other.take()
        came = []
        start_thread(lambda came=came: came.append(lock.__enter__()))
        until(lambda: lock._is_at_the_door)
        assert came == []
        other.let_go()
        until(lambda came=came: came)
        assert not is_free(other)
        lock.__exit__(None, None, None)
    assert is_free(other)


def test_it_is_not_waited_for_without_end_and_found_again_by_itself(lock, other):
    other.take()
    for _ in range(2):
        with pytest.raises(StoreBusy, match="another process has been in the middle of a transaction"):
            lock.__enter__()
    other.let_go()
    until(lambda: not lock._is_at_the_door)
    assert is_free(other)  # it was not kept for nobody
    with lock:
        assert not is_free(other)


def test_to_close_it_while_it_is_waited_for_keeps_nothing(path, other):
    lock = FileLock(path)
    other.take()
    with pytest.raises(StoreBusy):
        lock.__enter__()
    lock.close()
    other.let_go()
    until(lambda: is_free(other))


@pytest.mark.integration
def test_a_sibling_that_was_stopped_amid_a_transaction_is_told_of_and_got_over(tmp_path):
    path = tmp_path / "jobs.db"
    with closing(SqliteStore(path)) as store:
        store.open()
        hold = (
            "import fcntl, sys, time; file = open(sys.argv[1]); fcntl.flock(file, fcntl.LOCK_EX); print(flush=True)"
        )
        command = [sys.executable, "-c", f"{hold}; time.sleep(600)", f"{path}.lock"]
        sibling = subprocess.Popen(command, stdout=subprocess.PIPE)
        try:
            sibling.stdout.readline()
            sibling.send_signal(signal.SIGSTOP)
            with pytest.raises(StoreBusy, match="If it was stopped"):
                store.add([a_job()])
            assert "is locked" in store.trouble
        finally:
            sibling.kill()
            sibling.communicate()
        until(lambda: store.trouble is None)
        store.add([a_job()])


@pytest.mark.integration
def test_a_room_says_so_on_healthz_and_recovers(tmp_path, caplog):
    room = Greenroom(f"sqlite:///{tmp_path}/jobs.db")
    room.counts()
    with closing(Other(tmp_path / "jobs.db.lock")) as other:
        other.take()
        task = room.task(name="nothing")(is_free)
        with pytest.raises(StoreBusy):
            task.enqueue(1)
        assert "is locked: for 0.3 s another process" in room.trouble()
        other.let_go()
        until(lambda: room.trouble() is None)
    assert caplog.text.count("another process has been in the middle of a transaction") == 1
    room.stop(0)
