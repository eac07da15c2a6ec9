"""Three processes on one file, killed at random while a day goes by in seconds: each slot enqueued, and none twice?

    python -m tests.faults.schedule_kills --days 7 --seconds 120

The processes share a clock that is so many times as fast as ours. Most of the time some of them are up, and at times
none is: what is missed then has to be made up for, as every schedule here asks for.
"""

from gevent import monkey

if __name__ == "__main__":
    monkey.patch_all()

import argparse
import json
import random
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from gevent import get_hub
from gevent.event import Event

from greenroom import Greenroom, cron, every
from greenroom.clock import SECOND, as_datetime, as_moment
from greenroom.context import occasion_in
from tests.schedules import debian

TIMEZONE = "Europe/Berlin"
BEGIN = datetime(2026, 3, 28, 20, tzinfo=UTC)  # in the night that follows, the clocks there go forward
EXPRESSIONS = ("* * * * *", "*/7 * * * *", "0 * * * *", "30 2 * * *", "15 1,2,3,4 * * *", "0 0 * * *")
PERIOD = timedelta(minutes=20)
NAMES = (*EXPRESSIONS, "every")
PROCESSES = 3
PATIENCE = 90.0
BEAT = 0.01  # seconds: a fast clock tells those who wait so often that it has moved


class FastClock:
    """Shows BEGIN at `zero`, on the machine's monotonic clock, and runs `speed` times as fast from there."""

    passes = False  # one cannot wait for its moments with a timer

    def __init__(self, zero, speed):
        self._zero = zero
        self._speed = speed
        self._timers = []

    def now(self):
        return as_moment(BEGIN) + int((time.monotonic() - self._zero) * self._speed * SECOND)

    def monotonic(self):
        return time.monotonic()

    def watch(self, stepped):
        timer = get_hub().loop.timer(BEAT, BEAT)
        timer.start(stepped)
        self._timers.append(timer)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """What came of it."""

    seed: int
    kills: int
    none_up: int  # times that no process was up
    slots: int
    missing: list
    twice: list
    wrong: list
    late: int  # slots that were enqueued more than a minute late, by the fast clock
    integrity: str
    seconds: float

    @property
    def is_good(self):
        return self.slots > 0 and not (self.missing or self.twice or self.wrong) and self.integrity == "ok"

    def __str__(self):
        return (
            f"seed {self.seed}, {self.seconds:.0f} s: {self.slots} slots, {PROCESSES} processes, {self.kills} kills "
            f"({self.none_up} times none was up)\n"
            f"  {len(self.missing)} missing, {len(self.twice)} twice, {len(self.wrong)} at a wrong time; "
            f"{self.late} late by more than a minute; integrity check: {self.integrity}\n"
        )


def remember():
    """The task: what matters is that it is enqueued."""


def serve(folder, zero, speed):
    """What each of the processes does, until it is killed."""
    clock = FastClock(zero, speed)
    kept = timedelta(days=365)  # by the fast clock
    room = Greenroom(f"sqlite:///{folder}/greenroom.db", clock=clock, durability="process", retention=kept)
    task = room.task(remember, name="remember")
    for expression in EXPRESSIONS:
        room.periodic(cron(expression, timezone=TIMEZONE), name=expression, coalesce="all")(task)
    room.periodic(every(PERIOD), name="every", coalesce="all")(task)
    room.start()
    sys.stdout.write("up\n")
    sys.stdout.flush()
    Event().wait()


class Troupe:
    """The processes."""

    def __init__(self, folder, zero, speed):
        self._command = [
            sys.executable,
            "-m",
            "tests.faults.schedule_kills",
            "--serve",
            folder,
            str(zero),
            str(speed),
        ]
        self._log = (Path(folder) / "log").open("ab")
        self.processes = {}

    def start(self, number):
        self.processes[number] = subprocess.Popen(
            self._command, stdout=subprocess.PIPE, stderr=self._log, env=None, start_new_session=True
        )

    def kill(self, number):
        process = self.processes.pop(number)
        process.kill()
        process.wait()
        process.stdout.close()

    def wait_until_up(self, number):
        assert self.processes[number].stdout.readline() == b"up\n", "a process did not come up: see its log"

    def close(self):
        for number in [*self.processes]:
            with suppress(OSError):
                self.kill(number)
        self._log.close()


def run(*, days, seconds, seed, folder):
    """Start them, kill them, start them again; then look at what is there."""
    begun, chance = time.monotonic(), random.Random(seed)
    length = timedelta(days=days)
    speed = length.total_seconds() / seconds
    declare(folder)
    zero = time.monotonic()
    troupe = Troupe(str(folder), zero, speed)
    kills = none_up = 0
    try:
        for number in range(PROCESSES):
            troupe.start(number)
        while time.monotonic() < zero + seconds:
            victims = chance.sample(range(PROCESSES), chance.choice([1, 1, 1, 2, PROCESSES]))
            for number in victims:
                troupe.kill(number)
            kills += len(victims)
            none_up += len(victims) == PROCESSES
            for number in victims:
                troupe.start(number)
            if chance.random() < 0.7:  # else it is killed while it starts
                troupe.wait_until_up(victims[0])
            time.sleep(chance.uniform(0, 0.5))
        wait_until(lambda: has_passed(folder, BEGIN + length))
    finally:
        troupe.close()
    said = {"seed": seed, "kills": kills, "none_up": none_up, "seconds": time.monotonic() - begun}
    return judge(folder, BEGIN + length, **said)


def declare(folder):
    """Have the schedules begin before the clock runs: how long a process takes to start is another matter."""
    troupe = Troupe(str(folder), time.monotonic(), 0)
    try:
        troupe.start(0)
        troupe.wait_until_up(0)
        wait_until(lambda: declared(folder) == len(NAMES))
    finally:
        troupe.close()


def declared(folder):
    with closing(sqlite3.connect(f"file:{folder}/greenroom.db?mode=ro", uri=True)) as connection:
        return connection.execute("SELECT count(*) FROM schedule").fetchone()[0]


def wait_until(happens):
    ends = time.monotonic() + PATIENCE
    while not happens():
        assert time.monotonic() < ends, "waited in vain"
        time.sleep(0.1)


def has_passed(folder, end):
    """Whether the last slot of each schedule before then is recorded. This process alone has no lock to lose here."""
    with closing(sqlite3.connect(f"file:{folder}/greenroom.db?mode=ro", uri=True)) as connection:
        latest = dict(connection.execute("SELECT name, slot FROM schedule"))
    last = {name: max(slots_of(name, BEGIN, end), default=BEGIN) for name in NAMES}
    return all((latest.get(name) or 0) >= as_moment(slot) for name, slot in last.items())


def judge(folder, end, **said):
    with closing(sqlite3.connect(f"{folder}/greenroom.db")) as connection:
        rows = connection.execute("SELECT context, enqueued_at FROM job").fetchall()
        courses = dict(connection.execute("SELECT name, course FROM schedule"))
        (integrity,) = connection.execute("PRAGMA integrity_check").fetchone()
    jobs = [(occasion_in(context), enqueued_at) for context, enqueued_at in rows]
    enqueued = Counter((occasion.schedule, as_datetime(occasion.slot)) for occasion, _ in jobs)
    expected = set()
    for name in NAMES:
        # A schedule begins when the first process declares it, which its course says; nothing before is missing.
        begin = as_datetime(json.loads(courses[name])["since"])
        assert begin < BEGIN + timedelta(hours=3), "the processes took so long to start that this shows little"
        expected |= {(name, slot) for slot in slots_of(name, begin, end)}
    return Tally(
        slots=len(expected),
        missing=sorted(expected - set(enqueued)),
        twice=sorted(slot for slot, number in enqueued.items() if number > 1),
        wrong=sorted((name, slot) for name, slot in set(enqueued) - expected if slot <= end),
        late=sum(at - occasion.slot > 60 * SECOND for occasion, at in jobs),
        integrity=integrity,
        **said,
    )


def slots_of(name, start, end):
    if name != "every":
        return debian.slots(name, TIMEZONE, start, end)
    first = start - (start - datetime(1970, 1, 1, tzinfo=UTC)) % PERIOD + PERIOD
    return [first + number * PERIOD for number in range((end - first) // PERIOD + 1)]


def main():
    parser = argparse.ArgumentParser(prog="schedule_kills", description="Kill processes that enqueue slots.")
    parser.add_argument("--days", type=float, default=1)
    parser.add_argument("--seconds", type=float, default=15, help="how long these take")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    parser.add_argument("--serve", nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        folder, zero, speed = given.serve
        serve(folder, float(zero), float(speed))
    with tempfile.TemporaryDirectory() as folder:
        tally = run(days=given.days, seconds=given.seconds, seed=given.seed, folder=folder)
    sys.stdout.write(str(tally))
    sys.exit(not tally.is_good)


if __name__ == "__main__":
    main()
