"""A night on which the clocks go forward, as a process lives through it whose time goes by sixty times as fast.

    apt-get install libfaketime && python -m tests.faults.faketime

Nothing of ours knows that its time is made up: libfaketime answers whatever asks the system for it.
"""

import os
import subprocess
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

LIBRARIES = ("/usr/lib/*/faketime/libfaketimeMT.so.1", os.environ.get("LIBFAKETIME", ""))
BEGIN, SPEED, SECONDS = "2026-03-29 01:57:30", 60, 6
GAP_ENDS = datetime(2026, 3, 29, 1, tzinfo=UTC)  # 2:00 in Berlin, and 3:00 in the same moment
MINUTE = timedelta(minutes=1)

PROGRAM = """
from gevent import monkey

monkey.patch_all()

import sys

from gevent.event import Event

from greenroom import Greenroom, cron

room = Greenroom(f"sqlite:///{sys.argv[1]}/greenroom.db", durability="process")


@room.periodic(cron("* * * * *", timezone="Europe/Berlin"), name="each minute", coalesce="all")
@room.periodic(cron("30 2 * * *", timezone="Europe/Berlin"), name="at 2:30")
@room.task(takes_context=True)
def note(context):
    print(context.schedule, context.slot.isoformat(), sep="|", flush=True)


room.start()
Event().wait(float(sys.argv[2]))
room.stop(5)
"""


def run(library, folder):
    """What its schedules had enqueued: the name and the slot of each."""
    program = Path(folder) / "night.py"
    program.write_text(PROGRAM)
    environment = os.environ | {
        "LD_PRELOAD": str(library),
        "FAKETIME": f"@{BEGIN} x{SPEED}",
        "TZ": "Europe/Berlin",
        "GREENROOM_RUN": "1",
        "PYTHONPATH": str(Path(__file__).parents[2] / "src"),
    }
    done = subprocess.run(
        [sys.executable, program, folder, str(SECONDS * SPEED)],
        env=environment,
        stdout=subprocess.PIPE,
        check=True,
        timeout=120,
    )
    lines = [line.split("|") for line in done.stdout.decode().splitlines()]
    return [(name, datetime.fromisoformat(slot)) for name, slot in lines]


def main():
    library = next((path for pattern in LIBRARIES if pattern for path in sorted(Path("/").glob(pattern[1:]))), None)
    if library is None:
        sys.stdout.write("libfaketime is not installed, and this is left out: apt-get install libfaketime\n")
        return
    with tempfile.TemporaryDirectory() as folder:
        found = run(library, folder)
    minutes = sorted(slot for name, slot in found if name == "each minute")
    fixed = [slot for name, slot in found if name == "at 2:30"]
    steps = {after - before for before, after in pairwise(minutes)}
    is_good = fixed == [GAP_ENDS] and steps == {MINUTE} and minutes[0] < GAP_ENDS < minutes[-1]
    sys.stdout.write(
        f"{len(minutes)} minutes from {minutes[0].isoformat()}, {'none' if steps == {MINUTE} else 'some'} missing or "
        f"twice; what is due at 2:30 ran at {[slot.isoformat() for slot in fixed]}\n"
    )
    sys.exit(not is_good)


if __name__ == "__main__":
    main()
