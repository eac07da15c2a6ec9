"""The checker: holds a history (`recorder`) against what is stored, and says which promises were broken.

    report = check(read(history), Stored.of(database))
    assert not report.broken, report

| | what must hold |
|---|---|
| I1 | what was acknowledged has an outcome, or is still to run |
| I2 | nothing runs that was never asked for, was refused, or was rolled back |
| I3 | a job has one recorded outcome, and it is of the last to claim it |
| I4 | two runs of a job overlap only after the process of the first was killed, or frozen |
| I5 | a job starts no more often than max_attempts |
| I6 | a slot of a schedule is one job |
| I7 | the stored result is what the recorded attempt returned |
| I8 | the file is sound, and no row is in an impossible state |
| I9 | nothing is left over: no process, no worker's row or file, no fd, thread or greenlet |
| I10 | no request fails outside of a declared window |
"""

import json
import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.faults.history import History
from tests.faults.recorder import Event
from tests.faults.stored import CANCELLED, LATER, RUNNING, SUCCESSFUL, SUSPECT, Row, Stored

__all__ = ["Report", "Stored", "check"]

SHOWN = 5  # broken promises of one kind that a report spells out


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What was found. It reads as a text, and is to be the message of an assert."""

    broken: dict[str, list[str]]  # by invariant
    figures: dict[str, int]

    def __str__(self) -> str:
        lines = [", ".join(f"{name} {number}" for name, number in self.figures.items())]
        for invariant, texts in self.broken.items():
            lines += [f"{invariant} is broken {len(texts)} times: {__name__} says what it is"]
            lines += [f"    {text}" for text in texts[:SHOWN]]
            if len(texts) > SHOWN:
                lines += [f"    ... and {len(texts) - SHOWN} more"]
        return "\n".join(lines)


def check(events: Sequence[Event], stored: Stored, *, is_over: bool = True) -> Report:
    """Judge. `is_over`: all that was enqueued has had the time to end, and every process was stopped in peace."""
    history = History(events)
    broken = {name: list(judge(history, stored, is_over)) for name, judge in INVARIANTS.items()}
    starts = sum(map(len, history.runs.values()))
    return Report(
        broken={name: texts for name, texts in broken.items() if texts},
        figures={
            "acknowledged": len(history.acknowledged),
            "lost": len(broken["I1"]),
            "outcomes recorded twice": sum(text.startswith("twice") for text in broken["I3"]),
            "started": starts,
            "started again": starts - len(history.runs),
            "over max_attempts": len(broken["I5"]),
            "corrupt": len(broken["I8"]),
        },
    )


def _acknowledged_is_kept(history: History, stored: Stored, is_over: bool) -> Iterator[str]:
    for job_id, key in history.acknowledged.items():
        row = stored.rows.get(job_id)
        if row is None:
            yield f"job {job_id} ({key}) was acknowledged, and is not stored"
        elif is_over and not row.is_finished:
            yield f"job {job_id} ({key}) was acknowledged, and is still in state {row.state} when all is over"


def _only_what_was_asked_for_runs(history: History, stored: Stored, is_over: bool) -> Iterator[str]:
    called = {event.key for event in history.by_kind["call"]}
    revoked = {event.key: event.what for what in ("refused", "rolled back") for event in history.by_kind[what]}
    for job_id, runs in history.runs.items():
        for run in runs:
            if run.key in revoked:
                yield f"job {job_id} ({run.key}) ran in process {run.pid}, and was {revoked[run.key]}"
            elif run.key is not None and run.key not in called:
                yield f"job {job_id} ({run.key}) ran in process {run.pid}, and nobody asked for it"
    keys = defaultdict(set)
    for job_id, runs in history.runs.items():
        for run in runs:
            keys[run.key].add(job_id)
    for key, ids in keys.items():
        if key is not None and len(ids) > 1:
            yield f"{key} was asked for once, and is jobs {sorted(ids)}"


def _one_outcome(history: History, stored: Stored, is_over: bool) -> Iterator[str]:
    recorded = Counter(event.id for event in history.by_kind["recorded"])
    for job_id, times in recorded.items():
        if times > 1:
            yield f"twice: job {job_id} has {times} recorded outcomes"
    for job_id, value, row in _results(stored):
        # What was given back begins anew with the same number.
        last = max(history.runs.get(job_id, ()), key=lambda run: (run.attempt, run.begins), default=None)
        if last is not None and value.get("worker") != last.worker:
            yield (
                f"job {job_id} has the outcome of worker {value.get('worker')}, and the last to claim it was worker "
                f"{last.worker}, in attempt {last.attempt} of {row.attempt}"
            )


def _no_overlap(history: History, stored: Stored, is_over: bool) -> Iterator[str]:
    for job_id, runs in history.runs.items():
        in_order = sorted(runs, key=lambda run: run.begins)
        for number, run in enumerate(in_order):
            for later in in_order[number + 1 :]:
                if later.begins < run.ends:
                    yield (
                        f"job {job_id} began in process {later.pid} at {later.begins:.3f}, while attempt "
                        f"{run.attempt} of it ran in process {run.pid}, from {run.begins:.3f} to {run.ends:.3f}"
                    )


def _few_starts(history: History, stored: Stored, is_over: bool) -> Iterator[str]:
    for job_id, row in stored.rows.items():
        runs = [run for run in history.runs.get(job_id, ()) if not run.is_given_back]
        if row.attempt > row.max_attempts:
            yield f"job {job_id} is in attempt {row.attempt} of {row.max_attempts}"
        elif len(runs) > row.attempt:
            yield f"job {job_id} was started {len(runs)} times, and says that it was {row.attempt} times"
        if twice := [attempt for attempt, times in Counter(run.attempt for run in runs).items() if times > 1]:
            yield f"job {job_id} was started more than once in attempt {twice}"


def _one_job_a_slot(history: History, stored: Stored, is_over: bool) -> Iterator[str]:
    ids = defaultdict(set)
    for event in history.by_kind["slot"]:
        ids[event.more["schedule"], event.more["slot"]].add(event.id)
    for (schedule, slot), jobs in ids.items():
        if len(jobs) > 1:
            yield f"slot {slot} of {schedule} is jobs {sorted(jobs)}"


def _the_result_is_the_attempts(history: History, stored: Stored, is_over: bool) -> Iterator[str]:
    ended = {(end.id, end.attempt): end for end in history.by_kind["end"]}
    for job_id, value, row in _results(stored):
        if value.get("attempt") != row.attempt:
            yield f"job {job_id} holds the result of attempt {value.get('attempt')}, and was in attempt {row.attempt}"
        elif job_id in history.runs and (end := ended.get((job_id, row.attempt))) is None:
            yield f"job {job_id} was successful in attempt {row.attempt}, which did not come to its end"
        elif job_id in history.runs and value.get("pid") != end.pid:
            yield f"job {job_id} holds a result of process {value.get('pid')}, and process {end.pid} ended it"


def _sound(history: History, stored: Stored, is_over: bool) -> Iterator[str]:
    if stored.integrity != "ok":
        yield f"integrity check: {stored.integrity[:300]}"
    for row in stored.rows.values():
        is_running = row.state == RUNNING
        must = {
            "is in a known state": SUSPECT <= row.state <= CANCELLED,
            "has a worker if and only if it runs": (row.worker is not None) is is_running,
            "says when it finished if and only if it has": (row.finished_at is not None) is row.is_finished,
            "says when it started, if it has": row.started_at is not None or not (is_running or row.attempt),
            "has a version for each step": row.version >= row.attempt >= row.crashes >= 0,
            "is held for a suspect if and only if it is one": (row.state == SUSPECT)
            is (row.crashes > 1 and SUSPECT <= row.state <= LATER),
        }
        yield from (f"it is not so that job {row.id} {fact}: {row}" for fact, holds in must.items() if not holds)


def _nothing_left_over(history: History, stored: Stored, is_over: bool) -> Iterator[str]:
    if is_over:
        if stored.workers:
            yield f"rows of workers are left: {stored.workers}"
        if stored.lives:
            yield f"files of workers are left: {stored.lives}"
        latest = {event.pid: event.t for event in history.events if event.pid != os.getpid()}
        for pid, t in latest.items():
            if _lives(pid, t):
                yield f"process {pid} still lives"
    counted = defaultdict(list)
    for event in history.by_kind["census"]:
        counted[event.pid].append(event.more)
    for pid, (first, *others) in counted.items():
        for kind, number in (others[-1] if others else {}).items():
            if number > first[kind]:
                yield f"process {pid} has {number} {kind}, and had {first[kind]} before"


def _lives(pid: int, t: float) -> bool:
    """Whether there is a process of that number, and it began before then: a number is given again."""
    try:
        facts = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return False
    return facts[0] not in "ZX" and int(facts[19]) / os.sysconf("SC_CLK_TCK") <= t


def _requests_are_answered(history: History, stored: Stored, is_over: bool) -> Iterator[str]:
    windows, opened = [], 0.0
    for event in history.events:
        if event.what == "window opens":
            opened = event.t
        elif event.what == "window closes":
            windows.append((opened, event.t))
    for event in history.by_kind["request"]:
        began = event.more["began"]
        if not event.more["is_ok"] and not any(opens <= event.t and began <= closes for opens, closes in windows):
            yield f"a request from {began:.3f} to {event.t:.3f} failed: {event.more['error']}"


def _results(stored: Stored) -> Iterable[tuple[str, dict, Row]]:
    """The results that tell which run they are of."""
    for job_id, row in stored.rows.items():
        if row.state == SUCCESSFUL and row.result is not None:
            value = json.loads(row.result)
            if isinstance(value, dict) and "attempt" in value:
                yield job_id, value, row


INVARIANTS: dict[str, Callable[[History, Stored, bool], Iterator[str]]] = {
    "I1": _acknowledged_is_kept,
    "I2": _only_what_was_asked_for_runs,
    "I3": _one_outcome,
    "I4": _no_overlap,
    "I5": _few_starts,
    "I6": _one_job_a_slot,
    "I7": _the_result_is_the_attempts,
    "I8": _sound,
    "I9": _nothing_left_over,
    "I10": _requests_are_answered,
}
