"""A task in a thread is ended where it waits, gives way or computes; and what is thrown at it hits it alone."""

import random
import time

import pytest
from gevent.event import Event
from thread_acts import compute_without_end, insist, sleep, stage, tell_thread, wait_in_c

from greenroom import Status
from greenroom._native import get_ident
from greenroom.lanes import Stuck, breath
from greenroom.testing.lane_suite import PATIENCE, until


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
