import fcntl
import signal
import subprocess
import sys
import textwrap
from contextlib import contextmanager
from pathlib import Path

import pytest

from greenroom.clock import SystemClock
from greenroom.job import Status
from greenroom.outcome import Released
from greenroom.stores import SqliteStore
from greenroom.stores._incarnation import Incarnation
from greenroom.stores.base import LEASE, Claim, Fate
from greenroom.testing import a_job

CHILD = textwrap.dedent("""
    import sys
    from greenroom.clock import SystemClock
    from greenroom.errors import LeaseLost
    from greenroom.stores import SqliteStore
    from greenroom.stores.base import Claim
    from greenroom.testing import a_job

    store = SqliteStore(sys.argv[1])
    store.open()
    taken = store.claim(Claim(SystemClock().now(), {"greenlet": 2})).jobs
    handed_over = a_job(id=1).claimed(store.worker, SystemClock().now())
    store.add([handed_over])
    print(store.worker, *[job.id for job in taken], handed_over.id, flush=True)
    sys.stdin.readline()
    try:
        store.add([a_job(id=2).claimed(store.worker, SystemClock().now())])
        print("added", flush=True)
    except LeaseLost as error:
        print(error, flush=True)
""")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "jobs.db"


@pytest.fixture
def survivor(path):
    store = SqliteStore(path)
    store.open()
    yield store
    store.close()


@contextmanager
def a_worker(path):
    """Another process, its number, and the ids of the three jobs that it runs."""
    command = [sys.executable, "-c", CHILD, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            number, *ids = [int(word) for word in process.stdout.readline().split()]
            yield process, number, sorted(ids)
        finally:
            process.kill()


def test_what_a_killed_process_ran_is_expired_at_once(survivor, path):
    survivor.add([a_job(), a_job(), a_job()])
    with a_worker(path) as (process, number, ids):
        now = SystemClock().now()
        assert survivor.expired(now, 10) == []
        process.send_signal(signal.SIGKILL)
        process.wait()
        expired = survivor.expired(now, 10)
    assert [job.id for job, _ in expired] == ids
    assert {(job.status, job.worker, fate) for job, fate in expired} == {(Status.RUNNING, number, Fate.DEAD)}


def test_what_a_killed_process_ran_is_rescued_and_nothing_of_it_is_left(survivor, path):
    survivor.add([a_job(), a_job()])
    with a_worker(path) as (process, _, ids):
        process.kill()
        process.wait()
    now = SystemClock().now()
    for job, _ in survivor.expired(now, 10):
        assert survivor.swap(job, job.after(Released(now), now))
    assert survivor.expired(now, 10) == []
    mine = {survivor._ledger._life.name, survivor._ledger.siblings._bell.name}
    assert {file.name for file in (path.parent / "jobs.db.workers").iterdir()} == mine
    assert sorted(job.id for job in survivor.claim(Claim(now, {"greenlet": 9})).jobs) == ids


def test_nothing_is_left_of_a_process_that_was_killed_before_anybody_knew_of_it(survivor, path):
    folder = path.parent / "jobs.db.workers"
    before = {*folder.iterdir()}
    program = "import sys, pathlib; from greenroom.stores._incarnation import Incarnation; Incarnation(pathlib.Path"
    command = [sys.executable, "-c", f"{program}(sys.argv[1])); print(flush=True); sys.stdin.read()", str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        survivor.expired(SystemClock().now(), 10)
        assert len({*folder.iterdir()} - before) == 1, "it lives, and is about to be known"
        process.kill()
        process.wait()
    survivor.expired(SystemClock().now(), 10)
    assert {*folder.iterdir()} == before


BEFORE = {
    "it is locked": "fcntl.lockf = stop",
    "it has its name": "pathlib.Path.rename = stop",
}


@pytest.mark.parametrize("moment", BEFORE)
def test_nor_of_one_that_was_killed_before(survivor, path, moment):
    folder = path.parent / "jobs.db.workers"
    before = {*folder.iterdir()}
    program = f"""
        import fcntl, pathlib, sys
        from greenroom.stores._incarnation import Incarnation

        def stop(*_):
            print(flush=True)
            sys.stdin.read()

        {BEFORE[moment]}
        Incarnation(pathlib.Path(sys.argv[1]))
    """
    command = [sys.executable, "-c", textwrap.dedent(program), str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        assert len({*folder.iterdir()} - before) == 1
        process.kill()
        process.wait()
    survivor.expired(SystemClock().now(), 10)
    assert {*folder.iterdir()} == before


@pytest.mark.parametrize("moment", BEFORE)
def test_one_whose_file_is_taken_for_one_that_was_left_makes_another(tmp_path, monkeypatch, moment):
    folder, seen = tmp_path / "jobs.db.workers", []
    module, verb = (fcntl, "lockf") if moment == "it is locked" else (Path, "rename")
    sound = getattr(module, verb)

    def taken_away(*given):
        monkeypatch.undo()
        (file,) = folder.iterdir()
        file.unlink()
        seen.append(file.name)
        return sound(*given)

    monkeypatch.setattr(module, verb, taken_away)
    life = Incarnation(folder)
    assert [file.name for file in folder.iterdir()] == [life.name] == [seen[0].removesuffix(".new")]
    check = "import sys, pathlib; from greenroom.stores._incarnation import is_over; print(is_over(pathlib.Path"
    command = [sys.executable, "-c", f"{check}(sys.argv[1]), sys.argv[2]))", str(folder), life.name]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "False\n"
    life.end()


def test_a_killed_process_is_noticed_by_one_that_starts_afterwards(path):
    with a_worker(path) as (process, _, ids):
        process.kill()
        process.wait()
    successor = SqliteStore(path)
    successor.open()
    assert [job.id for job, _ in successor.expired(SystemClock().now(), 10)] == ids
    successor.close()


def test_a_frozen_process_is_fenced_when_it_thaws(survivor, path):
    survivor.add([a_job(), a_job()])
    with a_worker(path) as (process, number, ids):
        process.send_signal(signal.SIGSTOP)
        now = SystemClock().now()
        assert survivor.expired(now, 10) == []
        later = now + LEASE + 1
        survivor.renew(later + LEASE)
        lost = survivor.expired(later, 10)
        assert [(job.id, fate) for job, fate in lost] == [(number, Fate.STALLED) for number in ids]
        for job, _ in lost:
            survivor.swap(job, job.after(Released(later), later))
        survivor.expired(later, 10)
        process.send_signal(signal.SIGCONT)
        said, _ = process.communicate("\n")
    assert f"worker {number} was declared dead" in said
    assert survivor.counts()[Status.RUNNING] == 0
