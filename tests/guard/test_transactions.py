"""A task is not put aside in the middle of an SQLite transaction: the next writer would hold up the loop."""

import sqlite3
import time
from contextlib import closing

import pytest
from gevent import sleep, spawn

from greenroom import Greenroom

PATIENCE = 30
ROWS = 2000


@pytest.fixture
def room():
    room = Greenroom("memory://")
    room.start()
    yield room
    room.stop(0)


@pytest.fixture
def file(tmp_path):
    file = tmp_path / "app.db"
    connection = sqlite3.connect(file)
    connection.execute("CREATE TABLE t (x)")
    connection.close()
    return file


def write(file, turns):
    connection = sqlite3.connect(file, timeout=0.1)
    for _ in range(turns):
        with connection:
            for number in range(ROWS):
                connection.execute("INSERT INTO t VALUES (?)", (number,))
    connection.close()


def test_tasks_that_write_to_one_file_do_not_lock_each_other_out(room, file):
    calls = [room.spawn(write, file, 3) for _ in range(4)]
    for call in calls:
        call.get(PATIENCE)
    with closing(sqlite3.connect(file)) as connection:
        (count,) = connection.execute("SELECT count(*) FROM t").fetchone()
    assert count == 4 * 3 * ROWS


def test_between_transactions_it_is_put_aside(room, file):
    beats = []

    def beat():
        while True:
            beats.append(1)
            sleep(0.001)

    def compute(file):
        connection = sqlite3.connect(file)
        with connection:
            connection.execute("INSERT INTO t VALUES (1)")
        ends = time.perf_counter() + 0.3
        while time.perf_counter() < ends:
            pass
        connection.close()

    beating = spawn(beat)
    room.spawn(compute, file).get(PATIENCE)
    beating.kill()
    assert len(beats) > 20


def test_that_of_another_greenlet_does_not_matter(room, file):
    open_one = sqlite3.connect

    def hold(file):
        connection = open_one(file)
        connection.execute("BEGIN IMMEDIATE")
        sleep(0.3)
        connection.rollback()
        connection.close()

    def compute():
        before = room.preemption().count
        ends = time.perf_counter() + 0.1
        while time.perf_counter() < ends:
            pass
        return room.preemption().count - before

    holding = spawn(hold, file)
    sleep(0)
    assert room.spawn(compute).get(PATIENCE) > 5
    holding.join()


def test_what_was_left_open_before_the_room_stopped_does_not_matter(room, file):
    def compute():
        before = room.preemption().count
        ends = time.perf_counter() + 0.1
        while time.perf_counter() < ends:
            pass
        return room.preemption().count - before

    with closing(sqlite3.connect(file)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        room.stop()
        room.start()
        assert room.spawn(compute).get(PATIENCE) > 5


def test_connect_is_given_back(file):
    before = sqlite3.connect
    room = Greenroom("memory://")
    room.start()
    assert sqlite3.connect is not before
    with closing(sqlite3.connect(file)) as connection:
        assert isinstance(connection, sqlite3.Connection)
    room.stop(0)
    assert sqlite3.connect is before
    assert sqlite3.dbapi2.connect is before


def write_and_read_late(file, turns, execute):
    connection = sqlite3.connect(file, timeout=0.1, isolation_level=None)
    for number in range(turns):
        cursor = execute(connection)("INSERT INTO t VALUES (?) RETURNING x", (number,))
        for _ in range(20_000):
            pass
        assert cursor.fetchone() == (number,)
    connection.close()


@pytest.mark.parametrize("execute", [lambda it: it.execute, lambda it: it.cursor().execute], ids=["short", "long"])
def test_nor_do_those_that_have_yet_to_fetch_what_they_have_written(room, file, execute):
    calls = [room.spawn(write_and_read_late, file, 50, execute) for _ in range(4)]
    for call in calls:
        call.get(PATIENCE)
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("SELECT count(*) FROM t").fetchone() == (200,)


def test_one_that_found_no_rows_is_put_aside_soon(room, file):
    beats = []

    def beat():
        while True:
            beats.append(1)
            sleep(0.001)

    idle = sqlite3.connect(file)  # that of no task is anybody's, and is looked at too

    def compute(file):
        connection = sqlite3.connect(file, isolation_level=None)
        cursor = connection.execute("UPDATE t SET x = 1 WHERE x = 99 RETURNING x")
        assert cursor.fetchall() == []
        ends = time.perf_counter() + 0.5
        while time.perf_counter() < ends:
            pass
        connection.close()

    beating = spawn(beat)
    room.spawn(compute, file).get(PATIENCE)
    beating.kill()
    assert len(beats) > 20
    idle.close()
