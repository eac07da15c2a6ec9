"""A task in a thread uses its room like any other, and a room stops whatever its threads do."""

import subprocess
import sys
import time

import pytest
from gevent.event import Event
from thread_acts import add, compute_without_end, sleep, stage, wait_in_c

from greenroom import Greenroom, Progress, Status
from greenroom.testing.lane_suite import PATIENCE, until


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
begun = []

def wait_in_c():
    while True:
        try:
            begun.append(True)
            latch.acquire()
        except BaseException:  # it was told to end before it came to wait
            pass

@room.task(lane="thread")
def insist():
    while True:
        try:
            wait_in_c()
        except BaseException:  # the same, between two tries
            pass

room.start()
lane = room._backstage.lanes["thread"]
insist.enqueue()
while not begun:
    gevent.sleep(0.01)
room.stop(0)
print("stuck:", len(lane.stuck))
"""
