"""Days on which clocks are set, and days on which somebody sets the clock: is each slot enqueued, and none twice?

    python -m tests.faults.schedule_days --all-zones

A room with a clock of ours goes through the days; what it has enqueued is compared with Debian's cron, walked minute
by minute (`tests/schedules/debian.py`, which shares no code with it).
"""

import argparse
import logging
import random
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

import gevent
from gevent import Timeout

from greenroom import Greenroom, ManualClock, Status, cron
from greenroom.clock import as_datetime
from tests.schedules import debian
from tests.schedules.zones import DAYS, EXPRESSIONS

PATIENCE = 60.0
MINUTE = timedelta(minutes=1)
STEPS = tuple(  # in seconds
    sign * length for length in (1, 60, 3600, 86_400, 365 * 86_400) for sign in (1, -1)
)

Slot = tuple[str, datetime]  # of the schedule of that name


@dataclass(slots=True, kw_only=True)
class Tally:
    """What came of it."""

    days: int = 0
    steps: int = 0
    slots: int = 0
    missing: list[Slot] = field(default_factory=list)
    twice: list[Slot] = field(default_factory=list)
    wrong: list[Slot] = field(default_factory=list)  # that are no slots, or none that may be made up for

    def judge(self, expected: set[Slot], enqueued: Counter[Slot], made_up_for: set[Slot] = frozenset()) -> None:
        self.slots += len(expected)
        self.missing += expected - set(enqueued)
        self.twice += [slot for slot, number in enqueued.items() if number > 1]
        self.wrong += set(enqueued) - expected - made_up_for

    @property
    def is_good(self) -> bool:
        return self.slots > 0 and not (self.missing or self.twice or self.wrong)

    def __str__(self) -> str:
        return (
            f"{self.days} days of change, {self.steps} clock steps, {self.slots} slots: {len(self.missing)} missing, "
            f"{len(self.twice)} twice, {len(self.wrong)} at a wrong time\n"
        )


def remember() -> None:
    """The task: what matters is that it is enqueued."""


@contextmanager
def a_room(clock: ManualClock, timezone: str, **options: str) -> Iterator[Greenroom]:
    """One that has a schedule for each expression, in that zone."""
    room = Greenroom("memory://", clock=clock)
    task = room.task(remember)
    for expression in EXPRESSIONS:
        room.periodic(cron(expression, timezone=timezone), name=expression, **options)(task)
    room.start()
    try:
        settle(room, clock)
        yield room
    finally:
        room.stop(0)


def settle(room: Greenroom, clock: ManualClock) -> None:
    """Until all that is due by the clock has been enqueued."""
    now = as_datetime(clock.now())
    with Timeout(PATIENCE, AssertionError("the ticker does not come to rest")):
        while True:
            gevent.sleep(0)
            ticker = room._backstage.ticker
            if ticker._last_now == clock.now() and not any(
                entry.next is not None and as_datetime(entry.next) <= now for entry in ticker._entries.values()
            ):
                return


def enqueued_in(room: Greenroom) -> Counter[Slot]:
    with Timeout(PATIENCE, AssertionError("what was enqueued is not done")):
        while room.counts()[Status.READY] + room.counts()[Status.RUNNING]:
            gevent.sleep(0.001)
    return Counter((result.schedule, result.slot) for result in room.find(limit=1_000_000))


def expected_in(timezone: str, start: datetime, end: datetime) -> set[Slot]:
    return {
        (expression, slot) for expression in EXPRESSIONS for slot in debian.slots(expression, timezone, start, end)
    }


def go_through(day: str, timezone: str, chance: random.Random, tally: Tally) -> None:
    """Midnight to midnight on the wall there, as fast as it goes."""
    start, end = debian.day(day, timezone)
    clock = ManualClock(start)
    with a_room(clock, timezone, coalesce="all") as room:
        while (left := end - as_datetime(clock.now())) > timedelta():
            clock.advance(min(left, chance.choice([MINUTE, 7 * MINUTE, 45 * MINUTE])))
            settle(room, clock)
        enqueued = enqueued_in(room)
    tally.days += 1
    tally.judge(expected_in(timezone, start, end), enqueued)


def step(steps: Iterable[int], timezone: str, chance: random.Random, tally: Tally) -> None:
    """Two hours at a time, and then the clock is set."""
    clock = ManualClock(datetime(2026, 3, 28, 22, 0, 30, tzinfo=UTC))
    expected: set[Slot] = set()
    with a_room(clock, timezone) as room:
        for seconds in (*steps, 0):
            start = as_datetime(clock.now())
            while as_datetime(clock.now()) < start + timedelta(hours=2):
                clock.advance(timedelta(seconds=chance.choice([47, 59, 60])))
                settle(room, clock)
            set_from = as_datetime(clock.now())
            expected |= expected_in(timezone, start, set_from)
            clock.step(seconds)
            settle(room, clock)
            tally.steps += bool(seconds)
        enqueued = enqueued_in(room)
    # Of what was never lived through, of each schedule one slot may be made up for after each step.
    others = {slot for slot in set(enqueued) - expected if is_slot(slot, timezone)}
    tally.judge(expected, enqueued, made_up_for=others)
    assert len(others) <= len(EXPRESSIONS) * tally.steps


def is_slot(slot: Slot, timezone: str) -> bool:
    expression, moment = slot
    return debian.slots(expression, timezone, moment - MINUTE, moment) == [moment]


def days_of(timezone: str, year: int) -> list[str]:
    """The days of a year on which its clocks change, by looking."""
    zone = ZoneInfo(timezone)
    hours = [datetime(year, 1, 1, tzinfo=UTC) + timedelta(hours=number) for number in range(365 * 24)]
    offsets = [hour.astimezone(zone).utcoffset() for hour in hours]
    changes = [hour for hour, old, new in zip(hours, offsets, offsets[1:], strict=False) if old != new]
    return [hour.astimezone(zone).date().isoformat() for hour in changes]


def run(*, seed: int, zones: dict[str, tuple[str, ...]] = DAYS) -> Tally:
    chance, tally = random.Random(seed), Tally()
    for timezone, days in zones.items():
        for day in days:
            go_through(day, timezone, chance, tally)
    step(STEPS, "Europe/Berlin", chance, tally)
    step(chance.sample(STEPS, len(STEPS)), "Australia/Lord_Howe", chance, tally)
    return tally


def main() -> None:
    parser = argparse.ArgumentParser(prog="schedule_days", description="Go through days on which clocks are set.")
    parser.add_argument("--all-zones", action="store_true", help="each day of change from 2020 to 2030, everywhere")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    given = parser.parse_args()
    zones = dict(DAYS)
    if given.all_zones:
        zones = {name: tuple(it for year in range(2020, 2031) for it in days_of(name, year)) for name in all_zones()}
    logging.disable(logging.WARNING)  # each step of the clock has it told what was missed
    begun = time.monotonic()
    tally = run(seed=given.seed, zones=zones)
    sys.stdout.write(f"seed {given.seed}, {time.monotonic() - begun:.0f} s: {tally}")
    sys.exit(not tally.is_good)


def all_zones() -> list[str]:
    return sorted(name for name in available_timezones() if "/" in name and not name.startswith(("Etc/", "posix")))


if __name__ == "__main__":
    main()
