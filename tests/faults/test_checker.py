"""The checker notices each broken promise: a sound history is spoiled in one place at a time."""

import json
import os
import subprocess
import sys
from dataclasses import replace

import pytest

from greenroom import Greenroom, signals
from tests.faults.checker import INVARIANTS, check
from tests.faults.recorder import Event, Recorder, read
from tests.faults.stored import LATER, READY, RUNNING, SUCCESSFUL, SUSPECT, Row, Stored

GONE = 4_000_000  # more than any process's number: what has it does not live
FIRST, SECOND = GONE + 1, GONE + 2


def event(what, t, pid=FIRST, **said):
    known = {name: said.pop(name) for name in ("key", "id", "attempt", "worker") if name in said}
    return Event(what=what, t=t, pid=pid, **known, more=said)


def run_of(attempt, worker, pid=FIRST, job_id="7"):
    return {"key": "a", "id": job_id, "attempt": attempt, "worker": worker, "pid": pid}


# Job 7 is interrupted by a kill, and comes to its end in another process. A request fails while that starts.
SOUND = [
    event("census", 0.0, fds=10, threads=3, greenlets=5),
    event("call", 1.0, key="a"),
    event("ack", 1.1, key="a", id="7"),
    event("start", 1.2, **run_of(1, 1)),
    event("window opens", 1.8),
    event("kill", 2.0),
    event("census", 2.5, SECOND, fds=10, threads=3, greenlets=5),
    event("start", 3.0, **run_of(2, 2, SECOND)),
    event("request", 3.1, SECOND, is_ok=False, began=1.9, error="refused"),
    event("window closes", 3.2),
    event("slot", 3.3, SECOND, id="7", schedule="feeds", slot="noon"),
    event("end", 4.0, **run_of(2, 2, SECOND)),
    event("recorded", 4.1, SECOND, id="7", attempt=2, status="SUCCESSFUL"),
    event("request", 5.0, SECOND, is_ok=True, began=4.9, error=""),
    event("census", 6.0, SECOND, fds=10, threads=3, greenlets=4),
]
ROW = Row(
    id="7",
    state=SUCCESSFUL,
    attempt=2,
    max_attempts=3,
    version=4,
    worker=None,
    started_at=1,
    finished_at=2,
    result=json.dumps({"attempt": 2, "worker": 2, "pid": SECOND}),
    crashes=1,
)


def stored(*rows, **changes):
    return Stored(rows={row.id: row for row in rows or [ROW]}, **changes)


def result(**changes):
    return json.dumps({"attempt": 2, "worker": 2, "pid": SECOND} | changes)


def without(*kinds):
    return [each for each in SOUND if each.what not in kinds]


def test_a_sound_history_breaks_nothing():
    report = check(SOUND, stored())
    assert report.broken == {}, report
    assert str(report) == (
        "acknowledged 1, lost 0, outcomes recorded twice 0, started 2, started again 1, over max_attempts 0, "
        "corrupt 0"
    )


def test_what_is_still_to_run_is_not_lost_while_it_is_not_over():
    waiting = replace(ROW, state=READY, finished_at=None, result=None)
    events = without("end", "recorded")
    assert check(events, stored(waiting), is_over=False).broken == {}
    assert list(check(events, stored(waiting)).broken) == ["I1"]


PLANTED = {
    "an acknowledged job is gone": ("I1", SOUND, Stored(rows={})),
    "a job was left where it was": (
        "I1",
        without("end", "recorded"),
        stored(replace(ROW, state=RUNNING, worker=2, finished_at=None, result=None)),
    ),
    "a job ran that nobody asked for": ("I2", without("call"), stored()),
    "a job ran whose enqueue was refused": ("I2", [*SOUND, event("refused", 9.0, key="a")], stored()),
    "a job ran that was rolled back": ("I2", [*SOUND, event("rolled back", 1.15, key="a")], stored()),
    "one call became two jobs": (
        "I2",
        [*SOUND, event("start", 7.0, **run_of(1, 2, SECOND, "8")), event("end", 8.0, **run_of(1, 2, SECOND, "8"))],
        stored(),
    ),
    "an outcome is recorded twice": (
        "I3",
        [*SOUND, event("recorded", 9.0, id="7", attempt=1, status="SUCCESSFUL")],
        stored(),
    ),
    "an outcome is of a worker that was fenced off": ("I3", SOUND, stored(replace(ROW, result=result(worker=1)))),
    "a job ran in two living processes": ("I4", without("kill"), stored()),
    "a job ran while its process was not yet killed": (
        "I4",
        [*without("kill"), event("kill", 3.5)],
        stored(),
    ),
    "a job is started too often": ("I5", SOUND, stored(replace(ROW, max_attempts=1))),
    "a start was not counted": ("I5", SOUND, stored(replace(ROW, attempt=1, result=result(attempt=1)))),
    "an attempt began twice": (
        "I5",
        [
            *SOUND[:7],
            event("start", 2.9, **run_of(2, 3, SECOND)),
            event("end", 2.95, **run_of(2, 3, SECOND)),
            *SOUND[7:],
        ],
        stored(replace(ROW, attempt=3, result=None)),
    ),
    "a slot became two jobs": (
        "I6",
        [*SOUND, event("slot", 9.0, id="8", schedule="feeds", slot="noon")],
        stored(),
    ),
    "a result is of another attempt": ("I7", SOUND, stored(replace(ROW, result=result(attempt=1)))),
    "a result is of an attempt that did not end": ("I7", without("end"), stored()),
    "a result is of another process": ("I7", SOUND, stored(replace(ROW, result=result(pid=FIRST)))),
    "the file is damaged": ("I8", SOUND, stored(integrity="row 1 missing from index job_ready")),
    "a state is not known": ("I8", SOUND, stored(replace(ROW, state=9))),
    "a finished job has a worker": ("I8", SOUND, stored(replace(ROW, worker=2))),
    "a finished job does not say when": ("I8", SOUND, stored(replace(ROW, finished_at=None))),
    "a job that ran does not say when": ("I8", SOUND, stored(replace(ROW, started_at=None))),
    "a version was skipped": ("I8", SOUND, stored(replace(ROW, version=1))),
    "there are more crashes than attempts": ("I8", SOUND, stored(replace(ROW, crashes=3))),
    "one that is no suspect is held for one": (
        "I8",
        SOUND,
        stored(ROW, replace(ROW, id="8", state=SUSPECT, finished_at=None, result=None)),
    ),
    "a suspect is held for one that is none": (
        "I8",
        SOUND,
        stored(ROW, replace(ROW, id="8", state=LATER, crashes=2, finished_at=None, result=None)),
    ),
    "a worker's row is left": ("I9", SOUND, stored(workers=(2,))),
    "a worker's file is left": ("I9", SOUND, stored(lives=("0a1b",))),
    "a process is left": ("I9", [*SOUND, event("start", 9e9, os.getppid(), id="7", attempt=9)], stored()),
    "fds are left": ("I9", [*SOUND, event("census", 9.0, SECOND, fds=11, threads=3, greenlets=5)], stored()),
    "threads are left": ("I9", [*SOUND, event("census", 9.0, SECOND, fds=10, threads=4, greenlets=5)], stored()),
    "greenlets are left": ("I9", [*SOUND, event("census", 9.0, SECOND, fds=10, threads=3, greenlets=6)], stored()),
    "a request failed": ("I10", [*SOUND, event("request", 9.0, is_ok=False, began=8.9, error="reset")], stored()),
    "a request failed that began after the window": ("I10", without("window closes"), stored()),
}


@pytest.mark.parametrize(("invariant", "events", "stored"), PLANTED.values(), ids=PLANTED)
def test_a_broken_promise_is_noticed(invariant, events, stored):
    report = check(events, stored)
    assert invariant in report.broken
    assert f"{invariant} is broken" in str(report)


def test_each_invariant_has_a_history_that_breaks_it():
    assert {invariant for invariant, *_ in PLANTED.values()} == set(INVARIANTS)


@pytest.mark.parametrize("what", ["Snooze('snoozed for 1')", "Stopped()"])
def test_a_run_that_was_given_back_may_be_run_again_in_the_same_attempt(what):
    given_back = [
        event("start", 2.1, **run_of(2, 2, SECOND)),
        event("raised", 2.2, **run_of(2, 2, SECOND), error=what),
    ]
    assert check([*SOUND[:7], *given_back, *SOUND[7:]], stored()).broken == {}


def test_a_run_may_be_overtaken_once_its_process_was_frozen():
    frozen = [replace(each, what="frozen") if each.what == "kill" else each for each in SOUND]
    assert check(frozen, stored()).broken == {}


def test_a_line_that_its_writer_did_not_end_says_nothing(tmp_path):
    file = tmp_path / "history"
    recorder = Recorder(file)
    recorder.kill(GONE)
    whole = file.read_bytes()
    for half in (whole[: len(whole) // 2], b"\n{"):
        with file.open("ab") as torn:
            torn.write(half)
        recorder.drained(GONE)
        with file.open("ab") as torn:
            torn.write(half)
    recorder.close()
    assert [each.what for each in read(file)] == ["kill", "drained", "drained"]


@pytest.mark.integration
def test_what_is_recorded_of_a_room_is_sound(tmp_path):
    program = """
        import sys
        from tests.faults.test_checker import record
        record(*sys.argv[1:])
    """
    database, history = tmp_path / "jobs.db", tmp_path / "history"
    command = [sys.executable, "-c", "\n".join(line.strip() for line in program.splitlines())]
    subprocess.run([*command, str(database), str(history)], check=True, timeout=60)
    events = read(history)
    report = check(events, Stored.of(database))
    assert report.broken == {}, report
    assert [each.what for each in events] == ["call", "ack", "start", "end", "recorded"]
    assert report.figures["acknowledged"] == 1


def work(context, key):
    with Recorder.used.running(key, context) as run:
        return run.value


def record(database, history):
    Recorder.used = Recorder(history)
    signals.task_finished.connect(lambda _, result: Recorder.used.recorded(result), weak=False)
    room = Greenroom(f"sqlite:///{database}")
    task = room.task(takes_context=True)(work)
    with Recorder.used.enqueueing("a") as acknowledge:
        result = task.enqueue("a")
        acknowledge(result.id)
    room.start()
    result.wait(30)
    room.stop(10)
