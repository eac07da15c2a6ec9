"""The thread lane: native threads come and go as they are needed, and do not keep the hub waiting."""

import signal
import sys
from pathlib import Path

import pytest
from gevent.event import Event
from thread_acts import add, compute_without_end, sleep, stage, tell_thread, wait_in_c

from greenroom import Status
from greenroom._native import get_ident
from greenroom.testing.lane_suite import PATIENCE, until

DEFAULT = 0.005  # Python's own switch interval
TIMERS = {signal.SIGALRM, signal.SIGURG, signal.SIGPROF}


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
        assert start(room, sys_getswitchinterval).wait(PATIENCE).return_value == pytest.approx(0.00025)
        assert sys.getswitchinterval() == DEFAULT

    def test_several_share_it(self, make_room, start):
        room = make_room(size=3)
        waiting = [start(room, wait_in_c) for _ in range(3)]
        until(lambda: len(stage.seen) == 3)
        assert sys.getswitchinterval() == pytest.approx(0.000083)
        for left in (0.000125, 0.00025, DEFAULT):
            stage.latch.release()
            until(lambda left=left: sys.getswitchinterval() == pytest.approx(left))
        for result in waiting:
            result.wait(PATIENCE)

    def test_it_is_never_so_short_that_threads_do_nothing_but_take_turns(self, make_room, start):
        room = make_room(size=10)
        for _ in range(10):
            start(room, wait_in_c)
        until(lambda: len(stage.seen) == 10)
        assert sys.getswitchinterval() == pytest.approx(0.00005)
        for _ in range(10):
            until(stage.latch.locked)
            stage.latch.release()

    def test_it_is_put_back_after_the_last_of_several(self, make_room, start):
        room = make_room(size=2)
        stays = start(room, wait_in_c)
        start(room, add, 1, 2).wait(PATIENCE)
        until(lambda: stage.seen)
        assert sys.getswitchinterval() == pytest.approx(0.00025)
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
