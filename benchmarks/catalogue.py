"""The catalogue: every case, its sides, and the bars that greenroom sets itself."""

from __future__ import annotations

from benchmarks import isolation
from benchmarks.bar import at_least, at_most
from benchmarks.case import Case
from benchmarks.row import ALONE, DIFFERENCE, Row
from benchmarks.unit import BYTES, MB, MEBIBYTES, MEGABYTES, MIB, MILLISECONDS, MS, PER_SECOND

DURABLE = Case(
    name="durable",
    sides={
        "greenroom": "durable:enqueue_to_done",
        "SqliteHuey": "sqlitehuey:enqueue_to_done",
        "MiniHuey": "minihuey:enqueue_to_done",
        "MiniHuey, giving way after each call": "minihuey:enqueue_to_done_giving_way",
    },
    rows=(
        Row(
            measure="durable job, enqueue to done, 100 enqueuers",
            ours="greenroom.rate",
            against="SqliteHuey.rate",
            unit=PER_SECOND,
            bar=at_least(10, 25),
        ),
        Row(
            measure="the same, against a peer in memory",
            ours="greenroom.rate",
            against="MiniHuey.rate",
            unit=PER_SECOND,
            bar=at_least(0.6, 1.3),
        ),
        Row(
            measure="the same, against that peer at its best",
            ours="greenroom.rate",
            against="MiniHuey, giving way after each call.rate",
            unit=PER_SECOND,
        ),
        Row(
            measure="hub late meanwhile, max",
            ours="greenroom.late_max",
            against="SqliteHuey.late_max",
            unit=MILLISECONDS,
            by=ALONE,
            bar=at_most(15 * MS, 5 * MS),
        ),
        Row(
            measure="hub late meanwhile, p99",
            ours="greenroom.late_p99",
            against="MiniHuey.late_p99",
            unit=MILLISECONDS,
            by=ALONE,
        ),
    ),
)

ENQUEUE = Case(
    name="enqueue",
    sides={
        "greenroom": "durable:enqueue_alone",
        "store": "durable:add_alone",
        "the same rows, 1,000 a COMMIT": "limits:batched_jobs",
        "small rows, 1,000 a COMMIT": "limits:batched_inserts",
    },
    rows=(
        # The bar is for the store: jobs that are made already, against the rows that it writes. What checking and
        # encoding the arguments adds to it is shown below.
        Row(
            measure="durable enqueue alone, 100 greenlets",
            ours="store.rate",
            against="the same rows, 1,000 a COMMIT.rate",
            unit=PER_SECOND,
            bar=at_least(0.3, 0.5),
        ),
        Row(
            measure="the same, against smaller rows with one index",
            ours="store.rate",
            against="small rows, 1,000 a COMMIT.rate",
            unit=PER_SECOND,
        ),
        Row(
            measure="task.enqueue, arguments checked and encoded",
            ours="greenroom.rate",
            against="the same rows, 1,000 a COMMIT.rate",
            unit=PER_SECOND,
        ),
        Row(
            measure="the same, against smaller rows with one index",
            ours="greenroom.rate",
            against="small rows, 1,000 a COMMIT.rate",
            unit=PER_SECOND,
        ),
    ),
)

VOLATILE = Case(
    name="volatile",
    sides={
        "spawn": "volatile:spawn_to_result",
        "task": "volatile:task_to_result",
        "MiniHuey": "minihuey:to_result",
        "gevent.spawn": "limits:spawned_greenlets",
        "deque and workers": "limits:worker_greenlets",
    },
    rows=(
        Row(
            measure="room.spawn to result",
            ours="spawn.rate",
            against="MiniHuey.rate",
            unit=PER_SECOND,
            bar=at_least(5, 15),
        ),
        Row(
            measure="volatile task to result",
            ours="task.rate",
            against="MiniHuey.rate",
            unit=PER_SECOND,
            bar=at_least(3, 6),
        ),
        Row(measure="room.spawn to result", ours="spawn.rate", against="gevent.spawn.rate", unit=PER_SECOND),
        Row(
            measure="room.spawn, against the limit",
            ours="spawn.rate",
            against="deque and workers.rate",
            unit=PER_SECOND,
        ),
        Row(
            measure="volatile task, against the limit",
            ours="task.rate",
            against="deque and workers.rate",
            unit=PER_SECOND,
        ),
    ),
)

PENDING = Case(
    name="pending",
    sides={"greenroom": "volatile:pending", "MiniHuey": "minihuey:pending"},
    rows=(
        Row(
            measure="memory of a pending call",
            ours="greenroom.each",
            against="MiniHuey.each",
            unit=BYTES,
            bar=at_most(1 / 3, 1 / 6),
        ),
    ),
)

LATENESS = Case(
    name="lateness",
    sides={
        "greenroom": "scheduled:lateness",
        "spawn_later": "limits:spawn_later",
        "MiniHuey": "minihuey:lateness",
    },
    rows=(
        Row(
            measure="scheduled durable job starts late, p99",
            ours="greenroom.p99",
            against="spawn_later.p99",
            unit=MILLISECONDS,
            bar=at_most(3, 1.2),
        ),
        Row(
            measure="scheduled durable job starts late, p99",
            ours="greenroom.p99",
            against="MiniHuey.p99",
            unit=MILLISECONDS,
        ),
    ),
)

SCHEDULED = Case(
    name="scheduled",
    prepare="scheduled:prepare",
    sides={"greenroom": "scheduled:full", "an empty store": "scheduled:empty"},
    rows=(
        Row(
            measure="memory of 1 M scheduled durable jobs",
            ours="greenroom.resident",
            against="an empty store.resident",
            unit=MEGABYTES,
            by=DIFFERENCE,
            bar=at_most(50 * MB, 5 * MB),
        ),
    ),
)

IDLE = Case(
    name="idle",
    sides={
        "greenroom": "servers:room",
        "pywsgi and Flask": "servers:bare",
        "pywsgi and MiniHuey": "servers:minihuey",
        "gunicorn, huey, Valkey": "servers:stack",
    },
    rows=(
        Row(
            measure="idle memory (PSS) of web and background work",
            ours="greenroom.pss",
            against="pywsgi and Flask.pss",
            unit=MEBIBYTES,
            by=DIFFERENCE,
            bar=at_most(6 * MIB, 3 * MIB),
        ),
        Row(measure="the same", ours="greenroom.pss", against="pywsgi and MiniHuey.pss", unit=MEBIBYTES),
        Row(measure="the same", ours="greenroom.pss", against="gunicorn, huey, Valkey.pss", unit=MEBIBYTES),
    ),
)

COLD = Case(
    name="cold",
    sides={"greenroom": "coldstart:room", "MiniHuey": "coldstart:minihuey"},
    rows=(
        Row(
            measure="process start to first job done",
            ours="greenroom.taken",
            against="MiniHuey.taken",
            unit=MILLISECONDS,
            bar=at_most(1.5, 1.2),
        ),
    ),
)

BACKLOG = Case(
    name="backlog",
    prepare="backlog:prepare",
    sides={"ready": "backlog:ready", "future": "backlog:future"},
    rows=(
        Row(
            measure="claim with 1 M ready, p99",
            ours="ready.p99",
            unit=MILLISECONDS,
            by=ALONE,
            bar=at_most(5 * MS, 5 * MS),
        ),
        Row(
            measure="the same, while the file is checked",
            ours="ready.p99_while_checked",
            unit=MILLISECONDS,
            by=ALONE,
        ),
        Row(
            measure="empty claim with 1 M scheduled, p99",
            ours="future.p99",
            unit=MILLISECONDS,
            by=ALONE,
            bar=at_most(1 * MS, 1 * MS),
        ),
        Row(
            measure="the same, while the file is checked",
            ours="future.p99_while_checked",
            unit=MILLISECONDS,
            by=ALONE,
        ),
    ),
)

CASES = (DURABLE, ENQUEUE, VOLATILE, PENDING, LATENESS, SCHEDULED, IDLE, COLD, BACKLOG, *isolation.CASES)
