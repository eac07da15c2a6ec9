"""A small app that forks, to be run as a process of its own: forking.py FOLDER ACT. It leaves word in `marks`."""

from gevent import monkey

monkey.patch_all()

import atexit
import gc
import multiprocessing
import os
import signal
import sys
import time
from pathlib import Path

import gevent

from greenroom import Greenroom, StoreError, StoreUnavailable, every

folder = Path(sys.argv[1])
room = Greenroom(f"sqlite:///{folder}/greenroom.db")
begun_in = os.getpid()


def mark(*words):
    with (folder / "marks").open("a") as file:
        file.write(" ".join([*map(str, words), "in the parent" if os.getpid() == begun_in else "in a child"]) + "\n")


@room.task
def tick(number):
    mark("tick", number)


@room.task(lane="idle")
def idle(number):
    mark("idle", number)


@room.task
def slot():
    mark("slot")


@room.task(max_attempts=1)
def compute():
    """Is put aside again and again."""
    ends = time.monotonic() + 1
    while time.monotonic() < ends:
        pass
    mark("computed")


def try_to_enqueue(number):
    try:
        tick.enqueue(number)
    except StoreUnavailable as error:
        mark(error)
    else:
        mark("enqueued", number)


def be_a_child():
    mark("started", room.is_started)
    try_to_enqueue(100)
    gevent.sleep(1.5)  # the hub turns here, too
    mark("over")


def fork(act):
    """Fork, wait until the child has ended, and give its exit code."""
    pid = os.fork()
    if not pid:
        act()
        sys.exit(7)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def fork_while_it_runs():
    room.periodic(every(seconds=1))(slot)
    room.start()
    compute.enqueue()
    for number in range(10):
        tick.using(run_after=0.1 + number / 10).enqueue(number)
        idle.using(run_after=0.1 + number / 10).enqueue(number)
    gevent.sleep(0.05)  # the computing has begun, and been put aside
    mark("exit code", fork(be_a_child))
    room.tasks["__main__.tick"].enqueue(10).wait(10)
    room.stop(10)


def fork_before_it_is_used():
    mark("exit code", fork(enqueue_and_run))
    room.start()
    gevent.sleep(0.5)
    room.stop(10)


def enqueue_and_run():
    mark("started", room.is_started)
    try_to_enqueue(1)
    room.start()
    tick.enqueue(2).wait(10)
    room.stop(10)


def run_multiprocessing():
    room.start()
    for method in ("fork", "spawn"):
        process = multiprocessing.get_context(method).Process(target=start_here, args=(method,))
        process.start()
        process.join()
        mark(method, "exit code", process.exitcode)
    room.stop(10)


def start_here(method):
    os.environ.pop("GREENROOM_RUN", None)
    room.start()
    mark(method, "started", room.is_started)


def enqueue_at_exit():
    room.start()
    atexit.register(try_to_enqueue, 1)


def enqueue_at_exit_after_the_stop():
    room.start()
    atexit.register(try_to_enqueue, 1)
    room.stop(0)


class Late:
    """Enqueues as it goes."""

    def __del__(self, os=os, StoreError=StoreError, folder=str(folder)):  # noqa: N803  (modules are emptied at the end)
        try:
            self.task.enqueue(1)
            words = b"enqueued 1\n"
        except StoreError:
            words = b"refused\n"
        file = os.open(f"{folder}/marks", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.write(file, words)
        os.close(file)


def enqueue_as_python_ends():
    globals()["late"] = late = Late()
    late.task = tick


def enqueue_as_it_is_collected():
    room.start()
    late = Late()
    late.task, late.itself = tick, late
    del late
    gc.collect()
    room.stop(10)


def enqueue_in_a_handler():
    room.start()
    signal.signal(signal.SIGUSR1, lambda *_: try_to_enqueue(1))
    os.kill(os.getpid(), signal.SIGUSR1)  # on this greenlet
    signal.signal(signal.SIGUSR1, lambda *_: try_to_enqueue(2))
    signal.setitimer(signal.ITIMER_REAL, 0.2)
    signal.signal(signal.SIGALRM, lambda *_: try_to_enqueue(2))
    gevent.sleep(0.5)  # in the hub
    room.stop(10)


if __name__ == "__main__":
    globals()[sys.argv[2]]()
