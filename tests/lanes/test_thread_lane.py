"""The thread lane: threads come and go as they are needed, and what is thrown at a task hits that task alone."""

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from gevent.event import Event

from greenroom import Greenroom, Progress, Status
from greenroom._native import allocate_lock, get_ident
from greenroom.lanes import Stuck, breath
from greenroom.testing.lane_suite import PATIENCE, until

DEFAULT = 0.005  # Python's own switch interval
TIMERS = {signal.SIGALRM, signal.SIGURG, signal.SIGPROF}


class Stage:
    """Cleared for each test."""

    def clear(self):
        self.seen = []
        self.is_over = False
        self.room = None
        self.latch = allocate_lock()  # a native one: who waits for it is in C, and cannot be interrupted
        self.latch.acquire()


stage = Stage()


@pytest.fixture(autouse=True)
def _clear_the_stage():
    stage.clear()
    yield
    stage.is_over = True
    if stage.latch.locked():
        stage.latch.release()


def add(a, b):
    return a + b


def tell_thread():
    return get_ident()


def compute_without_end():
    stage.seen.append(get_ident())
    while not stage.is_over:
        pass


def insist():
    """Go on each time that it is to end."""
    try:
        compute_without_end()  # of its own: Python 3.13 leaves a loop's jump back out of the `try` around it
    except BaseException:  # noqa: BLE001 - knowingly
        stage.seen.append("struck")
        insist()


def wait_in_c():
    stage.seen.append(get_ident())
    stage.latch.acquire()


def sleep(seconds):
    stage.seen.append(get_ident())
    time.sleep(seconds)
    return get_ident()


class TestThreads:
    def test_there_is_none_before_the_first_errand(self, room, lane):
        assert lane.threads == 0

    def test_one_is_used_again_and_again(self, room, lane, start):
        threads = {start(room, tell_thread).wait(PATIENCE).return_value for _ in range(20)}
        assert len(threads) == 1
        assert get_ident() not in threads
        assert lane.threads == 1

    def test_there_are_no_more_than_have_run_at_once(self, make_room, start):
        room = make_room(size=8)
        for _ in range(3):
            for result in [start(room, sleep, 0.01) for _ in range(3)]:
                result.wait(PATIENCE)
        assert room._backstage.lanes["thread"].threads == 3

    def test_the_newest_is_used_first(self, make_room, start):
        room = make_room(size=2)
        for result in [start(room, sleep, 0.01) for _ in range(2)]:
            result.wait(PATIENCE)
        assert len({start(room, tell_thread).wait(PATIENCE).return_value for _ in range(10)}) == 1

    def test_one_ends_when_it_has_had_no_work_for_a_while(self, room, lane, start, monkeypatch):
        monkeypatch.setattr("greenroom.lanes._hand.PATIENCE", 0.02)
        start(room, add, 1, 2).wait(PATIENCE)
        until(lambda: lane.threads == 0)
        assert start(room, add, 1, 2).wait(PATIENCE).return_value == 3

    def test_they_end_with_the_room(self, make_room, start):
        room = make_room(size=4)
        lane = room._backstage.lanes["thread"]
        for result in [start(room, sleep, 0.01) for _ in range(4)]:
            result.wait(PATIENCE)
        room.stop(0)
        until(lambda: lane.threads == 0)

    def test_they_leave_no_file_open(self, make_room, start):
        before = open_files()
        room = make_room(size=4)
        lane = room._backstage.lanes["thread"]
        for result in [start(room, sleep, 0.001) for _ in range(200)]:
            result.wait(PATIENCE)
        assert open_files() > before  # each thread that waited has a hub
        room.stop(0)
        until(lambda: lane.threads == 0 and open_files() <= before)

    def test_the_signals_of_timers_do_not_reach_them(self, room, start):
        assert start(room, tell_mask, durable=False).wait(PATIENCE).return_value >= TIMERS

    def test_nor_do_they_reach_the_threads_of_a_store(self, tmp_path, make_room):
        store = make_room(f"sqlite:///{tmp_path}/greenroom.db")._store
        assert store._writer.run(tell_mask) >= TIMERS


def open_files():
    return len(list(Path("/proc/self/fd").iterdir()))


def tell_mask():
    return signal.pthread_sigmask(signal.SIG_BLOCK, ())


class TestSwitchInterval:
    @pytest.fixture(autouse=True)
    def _it_is_the_default(self):
        until(lambda: sys.getswitchinterval() == DEFAULT)  # nothing of an earlier test runs any more
        yield
        sys.setswitchinterval(DEFAULT)

    def test_it_is_short_while_an_errand_runs(self, room, start):
        assert start(room, sys_getswitchinterval).wait(PATIENCE).return_value == pytest.approx(0.0005)
        assert sys.getswitchinterval() == DEFAULT

    def test_it_is_put_back_after_the_last_of_several(self, make_room, start):
        room = make_room(size=2)
        stays = start(room, wait_in_c)
        start(room, add, 1, 2).wait(PATIENCE)
        until(lambda: stage.seen)
        assert sys.getswitchinterval() == pytest.approx(0.0005)
        stage.latch.release()
        stays.wait(PATIENCE)
        assert sys.getswitchinterval() == DEFAULT

    def test_what_the_app_sets_meanwhile_is_left_alone(self, room, start):
        start(room, set_interval, 0.002).wait(PATIENCE)
        assert sys.getswitchinterval() == pytest.approx(0.002)

    def test_a_shorter_one_is_left_alone(self, room, start):
        sys.setswitchinterval(0.0001)
        assert start(room, sys_getswitchinterval).wait(PATIENCE).return_value == pytest.approx(0.0001)
        assert sys.getswitchinterval() == pytest.approx(0.0001)

    def test_the_hub_turns_while_a_thread_computes(self, room, start):
        result = start(room, compute_without_end)
        until(lambda: stage.seen)
        for _ in range(100):
            Event().wait(0.001)
        result.refresh()
        assert result.status is Status.RUNNING
        stage.is_over = True
        assert result.wait(PATIENCE).status is Status.SUCCESSFUL


def sys_getswitchinterval():
    return sys.getswitchinterval()


def set_interval(seconds):
    sys.setswitchinterval(seconds)


class TestEnding:
    def test_a_loop_without_end_is_ended_by_its_timeout(self, room, lane, start):
        began = time.monotonic()
        result = start(room, compute_without_end, timeout=0.2).wait(PATIENCE)
        assert result.errors[0].exception_class_path == "builtins.TimeoutError"
        assert "in compute_without_end" in result.errors[0].traceback
        assert lane.stuck == []
        assert time.monotonic() - began < 5
        assert start(room, tell_thread).wait(PATIENCE).return_value

    def test_a_thread_that_was_struck_is_not_used_again(self, room, lane, start):
        result = start(room, compute_without_end)
        until(lambda: stage.seen)
        result.cancel()
        result.wait(PATIENCE)
        until(lambda: lane.threads == 0)

    def test_a_task_that_waits_is_ended_there_and_its_thread_goes_on(self, room, start):
        result = start(room, sleep, 3600)
        until(lambda: stage.seen)
        result.cancel("enough")
        assert result.wait(PATIENCE).status is Status.CANCELLED
        assert start(room, tell_thread).wait(PATIENCE).return_value == stage.seen[0]

    def test_a_task_that_gives_way_is_ended_there_and_its_thread_goes_on(self, room, start):
        result = start(room, give_way_without_end)
        until(lambda: stage.seen)
        result.cancel("enough")
        assert result.wait(PATIENCE).note == "enough"
        assert start(room, tell_thread).wait(PATIENCE).return_value == stage.seen[0]
        assert stage.seen[1:] == ["Stopped"]

    @pytest.mark.parametrize("act", ["wait", "compute", "give way"])
    def test_a_task_can_clean_up_when_it_is_ended(self, room, start, act):
        result = start(room, clean_up, act)
        until(lambda: stage.seen)
        result.cancel()
        assert result.wait(PATIENCE).status is Status.CANCELLED
        assert stage.seen[-1] == "cleaned up"

    def test_a_task_that_waits_in_c_is_stuck_and_another_thread_takes_its_place(self, room, lane, start, caplog):
        result = start(room, wait_in_c, timeout=0.05, name="stubborn").wait(PATIENCE)
        assert result.errors[0].exception_class_path == "builtins.TimeoutError"
        (stuck,) = lane.stuck
        assert isinstance(stuck, Stuck)
        assert (stuck.task, stuck.thread) == ("stubborn", stage.seen[0])
        assert "stage.latch.acquire()" in stuck.stack
        assert "greenroom/lanes" not in stuck.stack
        (warning,) = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
        assert f"task stubborn does not end: its thread {stage.seen[0]} is stuck" in warning
        assert "stage.latch.acquire()" in warning
        assert start(room, tell_thread).wait(PATIENCE).return_value != stuck.thread

    def test_a_stuck_thread_that_comes_back_ends(self, room, lane, start, infos):
        start(room, wait_in_c, timeout=0.05, name="stubborn").wait(PATIENCE)
        stage.latch.release()
        until(lambda: lane.stuck == [] and lane.threads == 0)
        until(lambda: "task stubborn has come to an end after all: its stuck thread ends" in infos.messages)

    def test_a_task_that_will_not_end_is_told_again_and_then_left_behind(self, room, lane, start):
        start(room, insist, timeout=0.05).wait(PATIENCE)
        assert len(lane.stuck) == 1
        assert 1 <= stage.seen.count("struck") <= 3
        stage.is_over = True
        until(lambda: lane.stuck == [])

    def test_no_other_task_is_ever_hit(self, make_room, monkeypatch):
        monkeypatch.setattr("greenroom.lanes.thread._STEP", 0.001)
        room = make_room(size=4)
        short = room.task(lane="thread", max_attempts=1)(compute_a_little)
        draw = random.Random(7)
        bystanders, victims = [], []
        ends = time.monotonic() + 2.5
        while time.monotonic() < ends:
            victims.append(short.enqueue(draw.randint(1, 20_000)))
            bystanders += [short.enqueue(2_000) for _ in range(3)]
            Event().wait(draw.random() * 0.004)
            victims[-1].cancel()
            for result in bystanders[-3:]:
                result.wait(PATIENCE)
        for result in bystanders:
            assert result.status is Status.SUCCESSFUL, result.errors
        for result in victims:
            assert result.wait(PATIENCE).status in (Status.SUCCESSFUL, Status.CANCELLED)
        assert len({result.status for result in victims}) == 2


def give_way_without_end():
    stage.seen.append(get_ident())
    give_way = breath.get()
    try:
        while True:
            give_way()
    except BaseException as error:
        stage.seen.append(type(error).__name__)
        raise


def clean_up(act):
    try:
        match act:
            case "wait":
                sleep(3600)
            case "compute":
                compute_without_end()
            case "give way":
                give_way_without_end()
    finally:
        time.sleep(0.01)
        stage.seen.append("cleaned up")


def compute_a_little(steps):
    for number in range(steps):
        str(number)


class TestTheRoomFromAThread:
    @pytest.fixture(params=["sqlite", "memory", "volatile"])
    def kind(self, request):
        return request.param

    @pytest.fixture
    def room(self, kind, make_room, tmp_path):
        stage.room = make_room(f"sqlite:///{tmp_path}/greenroom.db" if kind == "sqlite" else "memory://", size=2)
        return stage.room

    @pytest.fixture
    def options(self, kind):
        return {"durable": kind != "volatile"}

    def test_a_task_can_enqueue_another_and_wait_for_it(self, room, start, options):
        stage.another = room.task(**options)(add)
        assert start(room, delegate, **options).wait(PATIENCE).return_value == 42

    def test_a_task_can_wait_for_one_in_its_own_lane(self, room, start, options):
        stage.another = room.task(lane="thread", **options)(add)
        assert start(room, delegate, **options).wait(PATIENCE).return_value == 42

    def test_its_progress_is_seen_and_stored(self, room, start, options, kind):
        result = start(room, report, **options)
        until(lambda: stage.seen)
        result.refresh()
        assert result.progress == Progress(1, 2, "half")
        if kind != "volatile":
            store = room._backstage.durable.store
            until(lambda: store.get(int(result.id)).progress == Progress(1, 2, "half"))
        stage.is_over = True
        assert result.wait(PATIENCE).return_value == "done"

    def test_what_it_says_after_it_was_left_behind_is_not_kept(self, room, start, options):
        start(room, insist_and_report, timeout=0.05, **options).wait(PATIENCE)
        stage.latch.release()
        until(lambda: stage.seen[-1] == "reported")
        Event().wait(0.001)  # what it asked of the hub is done
        assert room._backstage.durable.runner._saved == room._backstage.volatile.runner._saved == {}

    def test_a_task_that_calls_itself_off_is_ended(self, room, start, options):
        stage.result = None
        stage.result = start(room, call_itself_off, **options)
        assert stage.result.wait(PATIENCE).status is Status.CANCELLED

    def test_many_can_wait_for_one(self, room, start, options):
        stage.result = start(room, sleep, 0.05, **options)
        waiting = [start(room, wait_for_it, **options) for _ in range(10)]
        for result in waiting:
            assert result.wait(PATIENCE).return_value == "SUCCESSFUL"


def delegate():
    return stage.another.enqueue(40, 2).wait(PATIENCE).return_value


def report():
    stage.room.current().progress(1, 2, "half")
    stage.seen.append("reported")
    while not stage.is_over:
        time.sleep(0.002)
    return "done"


def insist_and_report():
    try:
        wait_in_c()
    except BaseException:  # noqa: BLE001 - knowingly
        stage.room.current().progress(1, 2, "half")
        stage.seen.append("reported")


def call_itself_off():
    while stage.result is None:
        time.sleep(0.001)
    stage.result.cancel()
    time.sleep(3600)


def wait_for_it():
    return stage.result.wait(PATIENCE).status.name


class TestStopping:
    def test_what_computes_is_given_back(self, make_room, start, tmp_path):
        url = f"sqlite:///{tmp_path}/greenroom.db"
        room = make_room(url)
        result = start(room, compute_without_end)
        until(lambda: stage.seen)
        room.stop(0)
        result = look_again(url, result)
        assert (result.status, result.attempts) == (Status.READY, 0)

    def test_draining_lets_it_end(self, make_room, start, tmp_path):
        url = f"sqlite:///{tmp_path}/greenroom.db"
        room = make_room(url)
        result = start(room, sleep, 0.05)
        until(lambda: stage.seen)
        room.stop(PATIENCE)
        assert look_again(url, result).status is Status.SUCCESSFUL

    @pytest.mark.integration
    def test_a_stuck_thread_does_not_keep_the_process_alive(self):
        ran = subprocess.run([sys.executable, "-c", STUCK], check=False, capture_output=True, text=True, timeout=60)
        assert (ran.returncode, ran.stdout) == (0, "stuck: 1\n"), ran.stderr


def look_again(url, result):
    room = Greenroom(url)
    try:
        return room.get_result(result.id)
    finally:
        room.stop(0)


STUCK = """
from gevent import monkey; monkey.patch_all()
import gevent
from greenroom import Greenroom
from greenroom._native import allocate_lock

latch = allocate_lock()
latch.acquire()
room = Greenroom("memory://")

@room.task(lane="thread")
def wait_in_c():
    latch.acquire()

room.start()
lane = room._backstage.lanes["thread"]
wait_in_c.enqueue()
while not lane.threads:
    gevent.sleep(0.01)
room.stop(0)
print("stuck:", len(lane.stuck))
"""
