"""A task is not put aside in the middle of an SQLite transaction: the next writer would hold up the loop."""

import sqlite3
import time
from contextlib import closing

import pytest
from gevent import sleep, spawn
from loads import compute

from greenroom import Greenroom
from greenroom._native import allocate_lock, start_new_thread

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


def test_between_transactions_it_is_put_aside(room, file, heart):
    def work(file):
        connection = sqlite3.connect(file)
        with connection:
            connection.execute("INSERT INTO t VALUES (1)")
        compute(0.3)
        connection.close()

    room.spawn(work, file).get(PATIENCE)
    assert heart.beats > 20


def preemptions(room):
    """How often who computes for a while is put aside."""
    before = room.preemption().count
    compute(0.1)
    return room.preemption().count - before


def test_that_of_another_greenlet_does_not_matter(room, file):
    open_one = sqlite3.connect

    def hold(file):
        connection = open_one(file)
        connection.execute("BEGIN IMMEDIATE")
        sleep(0.3)
        connection.rollback()
        connection.close()

    holding = spawn(hold, file)
    sleep(0)
    assert room.spawn(preemptions, room).get(PATIENCE) > 5
    holding.join()


def test_what_was_left_open_before_the_room_stopped_does_not_matter(room, file):
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        room.stop()
        room.start()
        assert room.spawn(preemptions, room).get(PATIENCE) > 5


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


def test_one_that_found_no_rows_is_put_aside_soon(room, file, heart):
    idle = sqlite3.connect(file)  # that of no task is anybody's, and is looked at too

    def work(file):
        connection = sqlite3.connect(file, isolation_level=None)
        cursor = connection.execute("UPDATE t SET x = 1 WHERE x = 99 RETURNING x")
        assert cursor.fetchall() == []
        compute(0.5)
        connection.close()

    room.spawn(work, file).get(PATIENCE)
    assert heart.beats > 20
    idle.close()


def writer(file, answered):
    """One that writes all the while, and waits for no more than a moment."""
    with closing(sqlite3.connect(file, timeout=0.3, isolation_level=None)) as connection:
        while True:
            connection.execute("INSERT INTO other VALUES (1)")
            answered.append(1)
            sleep(0.002)


def compute_a_little():
    for _ in range(200):
        sum(range(200))


def select(connection, seconds):
    ends = time.perf_counter() + seconds
    while time.perf_counter() < ends:
        for _ in connection.execute("SELECT x FROM t LIMIT 300"):
            sum(range(200))
        compute_a_little()


def update_by_a_function(connection, seconds):
    def slowly(value):
        return sum(range(200)) and value + 1

    connection.create_function("slowly", 1, slowly)
    cursor, ends = connection.cursor(), time.perf_counter() + seconds
    while time.perf_counter() < ends:
        cursor.execute("UPDATE t SET x = slowly(x) WHERE rowid < 300")
        compute_a_little()


def insert_beside_another_cursor(connection, seconds):
    ends = time.perf_counter() + seconds
    while time.perf_counter() < ends:
        cursor = connection.execute("INSERT INTO t VALUES (1) RETURNING x")
        assert connection.cursor().execute("SELECT 1").fetchone() == (1,)
        for _ in range(10):
            sum(range(2000))
        assert cursor.fetchall() == [(1,)]
        compute_a_little()


@pytest.mark.parametrize("work", [select, update_by_a_function, insert_beside_another_cursor])
def test_a_statement_that_locks_is_gone_on_with(room, file, work):
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("CREATE TABLE other (x)")
        connection.executemany("INSERT INTO t VALUES (?)", [(number,) for number in range(ROWS)])
    answered = []
    writing = spawn(writer, file, answered)
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        room.spawn(work, connection, 1).get(PATIENCE)
    assert not writing.dead, writing.exception
    assert len(answered) > 1
    writing.kill()


def test_a_connection_counts_as_that_of_who_used_it_last(room, file):
    pool = [sqlite3.connect(file, timeout=0.1)]

    def take():
        with (connection := pool.pop() if pool else sqlite3.connect(file, timeout=0.1)):
            for number in range(ROWS):
                connection.execute("INSERT INTO t VALUES (?)", (number,))
        pool.append(connection)

    made = spawn(lambda: (pool.append(sqlite3.connect(file, timeout=0.1)), sleep(PATIENCE)))  # and it lives on
    sleep(0)
    calls = [room.spawn(take) for _ in range(8)]
    for call in calls:
        call.get(PATIENCE)
    for connection in pool:
        connection.close()
    made.kill()


class Cursor(sqlite3.Cursor):
    """Somebody's own, as Django has one."""

    def execute(self, statement, *args):
        return super().execute(statement.replace("%s", "?"), *args)


@pytest.mark.parametrize("factory", [None, Cursor])
def test_watched_cursors_are_as_others_are(room, file, factory):
    with closing(sqlite3.connect(file)) as connection:
        assert type(connection) is not sqlite3.Connection
        cursor = connection.cursor() if factory is None else connection.cursor(factory)
        assert isinstance(cursor, factory or sqlite3.Cursor)
        mark = "?" if factory is None else "%s"
        assert cursor.executemany("INSERT INTO t VALUES (?)", [(number,) for number in range(5)]) is cursor
        assert cursor.execute(f"SELECT x FROM t WHERE x < {mark}", (4,)) is cursor
        assert cursor.fetchone() == (0,)
        assert cursor.fetchmany() == [(1,)]
        assert cursor.fetchmany(size=5) == [(2,), (3,)]
        assert (cursor.fetchone(), cursor.fetchall(), list(cursor)) == (None, [], [])
        assert list(cursor.execute("SELECT x FROM t")) == [(number,) for number in range(5)]
        assert cursor.executescript("DELETE FROM t") is cursor
        cursor.close()
        with pytest.raises(sqlite3.ProgrammingError):
            cursor.fetchone()
        assert connection.execute("SELECT count(*) FROM t").fetchall() == [(0,)]
        assert connection.executemany("INSERT INTO t VALUES (?)", [(1,)]).rowcount == 1
        assert connection.executescript("SELECT 1").fetchall() == []
        with pytest.raises(TypeError):
            connection.cursor(lambda _: None)
        made = []
        assert connection.cursor(lambda it: made.append(sqlite3.Cursor(it)) or made[0]) is made[0]


@pytest.mark.parametrize(
    ("go_on", "is_half_read"),
    [
        (next, True),
        (lambda cursor: cursor.fetchmany(2), True),
        (lambda cursor: cursor.fetchmany(9), False),
        (list, False),
        (lambda cursor: cursor.fetchall(), False),
        (lambda cursor: cursor.fetchone(), False),  # more likely than not
        (lambda cursor: cursor.execute("DELETE FROM t"), False),
        (lambda cursor: cursor.executemany("DELETE FROM t WHERE x = ?", [(1,)]), False),
        (lambda cursor: cursor.executescript("SELECT 1"), False),
        (lambda cursor: cursor.close(), False),
        (lambda _: None, True),
    ],
)
def test_what_has_been_read_is_not_half_read(room, file, go_on, is_half_read):
    with closing(sqlite3.connect(file)) as connection:
        connection.executemany("INSERT INTO t VALUES (?)", [(number,) for number in range(5)])
        cursor = connection.execute("SELECT x FROM t")
        go_on(cursor)
        assert (id(cursor) in connection.half_read) is is_half_read


def test_that_of_another_thread_does_not_matter(room, file, heart):
    connection = sqlite3.connect(file, check_same_thread=False, isolation_level=None)
    begun, over = allocate_lock(), allocate_lock()
    begun.acquire()
    over.acquire()

    def hold():
        connection.execute("BEGIN IMMEDIATE")
        begun.release()
        over.acquire()
        connection.execute("ROLLBACK")
        begun.release()

    start_new_thread(hold, ())
    begun.acquire()
    room.spawn(compute, 0.3).get(PATIENCE)
    over.release()
    begun.acquire()
    connection.close()
    assert heart.beats > 20


@pytest.mark.parametrize("statement", ["UPDATE t SET x = 1 WHERE x = 99 RETURNING x", "SELECT x FROM t"])
def test_for_a_statement_that_is_never_read_nobody_is_left_to_go_on_for_long(room, file, heart, statement):
    def work():
        with closing(sqlite3.connect(file, isolation_level=None)) as connection:
            cursor = connection.execute(statement)
            compute(0.5)
            cursor.close()

    with closing(sqlite3.connect(file)) as connection, connection:
        connection.executemany("INSERT INTO t VALUES (?)", [(1,), (2,)])
    room.spawn(work).get(PATIENCE)
    assert heart.beats > 20
