"""One of several processes on one file, as `siblings` starts it: sibling FOLDER NUMBER PROCESSES JOBS."""

from gevent import monkey

monkey.patch_all()

import json
import logging
import sys
import time
from pathlib import Path

import gevent
from gevent.event import Event

from greenroom import Greenroom, Status
from greenroom.clock import SystemClock
from tests.faults.recorder import Recorder

ENQUEUERS = 100

folder = Path(sys.argv[1])
number, processes, jobs = map(int, sys.argv[2:])
room = Greenroom(f"sqlite:///{folder}/greenroom.db")
recorder = Recorder(folder / "history")
errors = []
ran = []


@room.task(name="work", takes_context=True)
def work(context, key):
    ran.append(key)
    with recorder.running(key, context) as run:
        gevent.sleep(0.001)  # as a task that waits for somebody
    return run.value


def enqueue(keys):
    for key in keys:
        try:
            with recorder.enqueueing(key) as acknowledge:
                acknowledge(work.enqueue(key).id)
        except Exception as error:  # noqa: BLE001  (whatever the app would see)
            errors.append(repr(error))


class Heart:
    """Beats each millisecond, and notes the longest time that it could not."""

    def __init__(self):
        self.gap = 0.0
        gevent.spawn(self._beat)

    def _beat(self):
        clock = SystemClock()
        last = clock.monotonic()
        while True:
            Event().wait(0.001)
            now = clock.monotonic()
            self.gap = max(self.gap, now - last - 0.001)
            last = now


class Complaints(logging.Handler):
    def emit(self, record):
        errors.append(record.getMessage())


logging.getLogger("greenroom.store").addHandler(Complaints(logging.WARNING))
logging.getLogger("greenroom").addHandler(Complaints(logging.ERROR))
room.start()
sys.stdout.write("ready\n")
sys.stdout.flush()
sys.stdin.readline()

heart = Heart()
begun = time.monotonic()
keys = [f"{number}/{n}" for n in range(jobs)]
gevent.joinall([gevent.spawn(enqueue, keys[n::ENQUEUERS]) for n in range(ENQUEUERS)], raise_error=True)
while room.counts()[Status.SUCCESSFUL] < processes * jobs and not errors:
    gevent.sleep(0.05)
took, gap = time.monotonic() - begun, heart.gap
room.stop(10)
sys.stdout.write(json.dumps({"ran": len(ran), "gap": gap * 1000, "errors": errors[:5], "seconds": took}))
