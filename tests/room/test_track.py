"""`track` and `checkpoint`: loops that give way, tell how far they are, and can be gone on with."""

import time
from datetime import timedelta

import pytest
from acts import PATIENCE, stage
from gevent import sleep, spawn
from gevent.event import Event

from greenroom import InvalidOption, Progress, Retry, Status, checkpoint, track


def busy(seconds):
    ends = time.perf_counter() + seconds
    while time.perf_counter() < ends:
        pass


def count(rows):
    for _ in track(range(rows), note="rows"):
        pass


def plod(rows):
    for row in track(range(rows)):
        stage.seen.append(row)
        busy(0.002)


def go_on(rows):
    for row in track(range(rows), resume=True):
        if row == 5 and stage.room.current().attempt == 1:
            raise Retry(after=0)
        stage.seen.append(row)


def plod_for_ever():
    stage.begun.set()
    for _ in track(iter(int, 1)):
        busy(0.0005)


def come_late():
    stage.room.current().progress(1)
    for _ in track([1], resume=True):
        pass


@pytest.fixture(autouse=True)
def _nothing_seen():
    stage.seen, stage.begun = [], Event()


def test_outside_of_a_task_it_only_yields_the_rows():
    assert list(track("abc")) == ["a", "b", "c"]
    checkpoint()


def test_all_rows_come_and_the_progress_says_so(room, declare):
    result = declare(room, count).enqueue(1000).wait(PATIENCE)
    assert result.status is Status.SUCCESSFUL
    assert result.progress == Progress(1000, 1000, "rows")


def test_others_run_between_the_rows_of_a_task_that_is_not_put_aside(room, declare):
    turns = []

    def beat():
        while True:
            turns.append(len(stage.seen))
            sleep(0.001)

    beating = spawn(beat)
    declare(room, plod, preempt=False).enqueue(30).wait(PATIENCE)
    beating.kill()
    assert stage.seen == list(range(30))
    assert len({rows for rows in turns if 0 < rows < 30}) > 10


def test_a_checkpoint_lets_the_loop_turn(room):
    def give_way():
        before = len(seen)
        for _ in range(5):
            busy(0.002)
            checkpoint()
        return len(seen) - before

    seen = []

    def beat():
        while True:
            seen.append(1)
            sleep(0.001)

    beating = spawn(beat)
    assert room.spawn(give_way).get(PATIENCE) >= 3
    beating.kill()


def test_a_cancelled_loop_ends_at_a_row(room, declare):
    result = declare(room, plod_for_ever, preempt=False).enqueue()
    assert stage.begun.wait(PATIENCE)
    assert result.cancel()
    assert result.wait(PATIENCE).status is Status.CANCELLED
    assert result.progress.done > 0


def test_a_loop_that_takes_too_long_ends_at_a_row(room, declare):
    result = declare(room, plod_for_ever, preempt=False, timeout=0.1, max_attempts=1).enqueue()
    assert result.wait(PATIENCE).status is Status.FAILED
    assert "TimeoutError" in result.errors[-1].exception_class_path


def test_a_job_that_runs_again_goes_on_behind_what_it_has_done(room, declare):
    result = declare(room, go_on).enqueue(10).wait(PATIENCE)
    assert (result.status, result.attempts) == (Status.SUCCESSFUL, 2)
    assert stage.seen == list(range(10))


def test_a_task_that_told_of_progress_before_cannot_go_on(room, declare):
    result = declare(room, come_late, max_attempts=1).enqueue().wait(PATIENCE)
    assert "has to come first" in result.errors[-1].message


def test_there_is_nothing_to_go_on_with_outside_of_a_task():
    with pytest.raises(InvalidOption, match="for code that runs in a task"):
        track([1], resume=True)


def test_a_span_is_more_than_nothing():
    with pytest.raises(InvalidOption, match="every="):
        track([1], every=timedelta())
