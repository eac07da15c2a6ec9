"""Isolation: the cases that ask how requests fare while tasks run in the same process.

    python -m benchmarks.isolation [--plot docs/isolation.svg] [--runs N] [--quick]

is `python -m benchmarks isolation` with the same options.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping

from benchmarks import client
from benchmarks.bar import Bar, at_least, at_most
from benchmarks.case import Case
from benchmarks.latency import IDLE as NOTHING
from benchmarks.latency import side_of
from benchmarks.row import ALONE, DIFFERENCE, Row
from benchmarks.unit import MILLISECONDS, MS, PER_SECOND

NOBODY = "idle"
IDLE = side_of(NOBODY, NOTHING)

SPAWN = "gevent.spawn"
GIVING_WAY = "gevent.sleep(0) each 10 rows"
THREADPOOL = "gevent.threadpool"
WORKER = "a worker process"
ROOM = "greenroom"
TRACK = "greenroom, track(rows)"
THREAD = 'greenroom, lane="thread"'
PROCESS = 'greenroom, lane="process"'

# contender -> what runs it: a function of sides/isolation.py, and the words for it around the load
RUN_BY = {
    NOBODY: "beside:{load}:nobody::{share}",
    SPAWN: "beside:{load}:spawn::{share}",
    GIVING_WAY: "beside:{load}:giving_way::{share}",
    THREADPOOL: "beside:{load}:threadpool::{share}",
    WORKER: "beside_worker:{load}:{share}",
    ROOM: "beside:{load}:room:greenlet:{share}",
    TRACK: "beside:{load}:room_tracked:greenlet:{share}",
    THREAD: "beside:{load}:room:thread:{share}",
    PROCESS: "beside:{load}:room:process:{share}",
}

CPU = ("1 CPU task", "4 CPU tasks", "100 CPU tasks")
ONE = CPU[0]

# Reference: who else there is, and what no bar is set for.
OTHERS = {
    CPU[0]: (SPAWN, GIVING_WAY, THREADPOOL),
    CPU[1]: (SPAWN, THREADPOOL, THREAD),
    CPU[2]: (SPAWN, GIVING_WAY, THREADPOOL),
    "200 I/O tasks": (SPAWN, WORKER, ROOM),
    "zlib": (SPAWN, THREADPOOL, ROOM, THREAD, PROCESS),
    "Pillow": (SPAWN, ROOM, THREAD),
    "a regex": (SPAWN, THREADPOOL, ROOM, THREAD, PROCESS),
    "a mix": (SPAWN, WORKER, ROOM, THREAD),
}


def _sides(settings: Mapping[str, tuple[str, ...]], *, share: str) -> dict[str, str]:
    """Name -> target, of each contender beside each load, for `share` times the plan's seconds."""
    return {
        side_of(contender, load): f"isolation:{RUN_BY[contender].format(load=load, share=share)}"
        for load, contenders in settings.items()
        for contender in contenders
    }


def _row(contender: str, load: str, against: str, bar: Bar) -> Row:
    way = contender.partition(", ")[2]
    return Row(
        measure=f"request p99 beside {load}{f', {way}' if way else ''}",
        ours=f"{side_of(contender, load)}.p99",
        against=f"{against}.p99",
        unit=MILLISECONDS,
        bar=bar,
    )


JUDGED = Case(
    name="isolation",
    prepare="isolation:prepare",
    rounds=3,
    note=client.described,
    sides=_sides(
        {
            NOTHING: (NOBODY,),
            ONE: (WORKER, ROOM, TRACK, THREAD, PROCESS),
            CPU[1]: (WORKER, ROOM),
            CPU[2]: (WORKER, ROOM),
        },
        share="2.4",
    ),
    rows=(
        *(_row(ROOM, load, IDLE, at_most(5, 2)) for load in CPU),
        *(_row(ROOM, load, side_of(WORKER, load), at_most(4, 1.5)) for load in CPU),
        _row(TRACK, ONE, IDLE, at_most(4, 2.5)),
        _row(THREAD, ONE, IDLE, at_most(4, 3)),
        _row(PROCESS, ONE, IDLE, at_most(2, 1.5)),
        Row(measure="the client's own lateness, p99", ours=f"{IDLE}.own_p99", unit=MILLISECONDS, by=ALONE),
    ),
)

REFERENCE = Case(
    name="isolation-others",
    prepare="isolation:prepare",
    rounds=1,
    sides=_sides(OTHERS, share="0.8"),
    rows=(),
)

THROUGHPUT = Case(
    name="isolation-throughput",
    rounds=2,
    sides={SPAWN: "isolation:work"},
    rows=(
        Row(
            measure="rows of 4 CPU tasks, no requests",
            ours=f"{SPAWN}.room",
            against=f"{SPAWN}.plain",
            unit=PER_SECOND,
            bar=at_least(0.85, 0.97),
        ),
    ),
)

GUARD = Case(
    name="isolation-guard",
    rounds=3,
    sides={"volatile": "guard:volatile_tasks", "durable": "guard:durable_jobs"},
    rows=tuple(
        Row(
            measure=f"{kind}, pre-emption on, against off",
            ours=f"{side}.on",
            against=f"{side}.off",
            unit=PER_SECOND,
            bar=at_least(0.98, 1.0),
        )
        for side, kind in (("volatile", "volatile task to result"), ("durable", "durable job, enqueue to done"))
    ),
)

WAKE_UPS = Case(
    name="isolation-idle",
    rounds=1,
    sides={ROOM: "isolation:switches:room_at_rest", "pywsgi alone": "isolation:switches:nobody"},
    rows=(
        Row(
            measure="wake-ups at rest",
            ours=f"{ROOM}.rate",
            against="pywsgi alone.rate",
            unit=PER_SECOND,
            by=DIFFERENCE,
            bar=at_most(0, 0),
        ),
    ),
)

LANE = Case(
    name="isolation-process",
    rounds=1,
    sides={
        "process lane": "process:round_trip:process",
        "greenlet lane": "process:round_trip:greenlet",
        "the app's import": "process:import_alone",
    },
    rows=(
        Row(
            measure="empty task in the process lane, round trip, p50",
            ours="process lane.p50",
            against="greenlet lane.p50",
            unit=MILLISECONDS,
            by=DIFFERENCE,
            bar=at_most(0.5 * MS, 0.1 * MS),
        ),
        Row(
            measure="first job of the process lane",
            ours="process lane.first",
            against="the app's import.taken",
            unit=MILLISECONDS,
            by=DIFFERENCE,
            bar=at_most(200 * MS, 50 * MS),
        ),
    ),
)

CASES = (JUDGED, REFERENCE, THROUGHPUT, GUARD, WAKE_UPS, LANE)

if __name__ == "__main__":
    from benchmarks.__main__ import main

    sys.exit(main(["isolation", *sys.argv[1:]]))
