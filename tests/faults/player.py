"""A process with a room whose tasks are recorded, to be killed, stopped and started again: player.py FOLDER ROLE ...

feed        enqueue a few jobs, and run whatever there is, until it is killed
finish      run whatever there is; stop in peace when all is done
share       enqueue and run until there is a file `stop` in the folder; then finish. Calls nobody stalled
guard       the same, and looks ten times a second whether others are stalled
poison ...  enqueue a poison of each of these kinds among other jobs, and finish
"""

from gevent import monkey

monkey.patch_all()

import ctypes
import os
import random
import resource
import signal
import sys
from pathlib import Path

from gevent.event import Event

from greenroom import Greenroom, Status, _janitor, constant, signals
from greenroom.clock import SECOND
from greenroom.stores._incarnation import others, pid_of
from tests.faults.recorder import Recorder

folder = Path(sys.argv[1])
lives = folder / "jobs.db.workers"
recorder = Recorder(folder / "history")
room = Greenroom(f"sqlite:///{folder}/jobs.db")
room._store.lease = int(float(os.environ.get("PLAYER_LEASE", "30")) * SECOND)
chance = random.Random()
never = Event()

FEED = 12  # jobs that one life enqueues
BESIDE = 20  # jobs among the poisons


@room.task(takes_context=True, max_attempts=50, backoff=constant(0))
def work(context, key, seconds, failures):
    with recorder.running(key, context) as run:
        never.wait(seconds)
        if context.attempt <= failures:
            raise OSError("the network is down")
        return run.value


def out_of_memory():
    """What the kernel does to a process that takes too much."""
    used, _ = resource.getrlimit(resource.RLIMIT_AS)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + (64 << 20), resource.RLIM_INFINITY))
    hoard = []
    try:
        while True:
            hoard.append(bytearray(1 << 20))
    except MemoryError:
        os.kill(os.getpid(), signal.SIGKILL)


POISONS = {
    "segfault": lambda: ctypes.string_at(0),
    "exit": lambda: os._exit(3),
    "memory": out_of_memory,
    "abort": os.abort,
}


@room.task(takes_context=True, max_attempts=50)
def poison(context, key, kind):
    with recorder.running(key, context, poison=kind):
        POISONS[kind]()


def enqueue(task, *args):
    key = f"{os.getpid()}.{chance.randrange(1 << 60)}"
    with recorder.enqueueing(key) as acknowledge:
        acknowledge(task.enqueue(key, *args).id)


def enqueue_work():
    enqueue(work, chance.uniform(0, 0.3), int(chance.random() < 0.1))


def feed():
    for _ in range(FEED):
        enqueue_work()
        never.wait(chance.uniform(0, 0.03))
    never.wait()


def share():
    while not (folder / "stop").exists():
        enqueue_work()
        never.wait(chance.uniform(0, 0.1))
    finish()


def finish():
    while any(room.counts()[status] for status in (Status.READY, Status.RUNNING)):
        never.wait(0.03)
    while any(pid_of(lives, name) is None for name in others([path.name for path in lives.iterdir()])):
        never.wait(0.03)  # the janitor has still to forget one that has died
    recorder.note("done")
    room.stop(30)


def poisoned():
    kinds = [*sys.argv[3:]] + [None] * BESIDE
    chance.shuffle(kinds)
    for kind in kinds:
        enqueue(poison, kind) if kind else enqueue_work()
    room.start()
    finish()


ROLES = {"feed": feed, "finish": finish, "share": share, "guard": share, "poison": poisoned}

if __name__ == "__main__":
    role = sys.argv[2]
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signals.task_finished.connect(lambda _, result: recorder.recorded(result), weak=False)
    if role == "share":
        _janitor.Janitor._rescue = lambda *_: 0
    if role == "guard":
        _janitor.EVERY = 0.1
    if role != "poison":
        room.start()
    recorder.note("up")
    ROLES[role]()
