"""A process with a room under load, and its history: python -m tests.faults.load load DATABASE HISTORY DURABILITY

`load` goes on for ever; `finish` enqueues nothing, and stops when all is done.
"""

from gevent import monkey

monkey.patch_all()

import os
import sys
import zlib
from itertools import count

import gevent

from greenroom import Greenroom, Status, constant, signals
from tests.faults.recorder import Recorder

ENQUEUERS = 6


WHAT, DATABASE, HISTORY, DURABILITY = sys.argv[1:]

recorder = Recorder(HISTORY)
room = Greenroom(f"sqlite:///{DATABASE}", durability=DURABILITY)


@room.task(max_attempts=20, backoff=constant(0.01), takes_context=True)
def work(context, key):
    """Takes up to 20 ms; of four keys, one fails at first."""
    number = zlib.crc32(key.encode())
    with recorder.running(key, context) as run:
        gevent.sleep(number % 20 / 1000)
        if context.attempt == 1 and number % 4 == 0:
            raise ConnectionError("try again")
        return run.value


def main():
    signals.task_finished.connect(lambda _, result: recorder.recorded(result), weak=False)
    room.start()
    if WHAT == "load":
        gevent.joinall([gevent.spawn(enqueue_for_ever, number) for number in range(ENQUEUERS)], raise_error=True)
    while any(room.counts()[status] for status in (Status.READY, Status.RUNNING)):
        gevent.sleep(0.05)
    room._opened.durable.store.expired(room._clock.now(), 10)  # the dead are forgotten once nobody has their jobs
    room.stop()


def enqueue_for_ever(number):
    for turn in count():
        key = f"{os.getpid()}.{number}.{turn}"
        with recorder.enqueueing(key) as acknowledge:
            acknowledge(work.enqueue(key).id)
        gevent.sleep(0.005)


if __name__ == "__main__":
    main()
