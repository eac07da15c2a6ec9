"""A small app that is a process of its own: troupe.py FOLDER ACT. Its children run it again, as its `__main__`.

It leaves word of what it does in a file `marks`.
"""

import ctypes
import os
import sys
import time
from pathlib import Path

if "patched" in sys.argv[2]:
    from gevent import monkey

    monkey.patch_all()

import logging
import signal

from gevent.event import Event

from greenroom import Greenroom

signal.signal(signal.SIGINT, signal.default_int_handler)
logging.getLogger("greenroom.monitor").setLevel(logging.ERROR)  # a busy machine holds up loops, and it would say so

folder = Path(sys.argv[1])
url = "memory://" if "memory" in sys.argv[2] else f"sqlite:///{folder}/greenroom.db"
room = Greenroom(url, lanes={"process": 2})


class Trouble(Exception):
    """Of `__main__`."""


def mark(text):
    with (folder / "marks").open("a") as file:
        file.write(f"{text}\n")


mark(f"imported as {__name__}")
room.start() if __name__ != "__main__" else None  # as an app may do at its end, whoever imports it


@room.task(lane="process", max_attempts=1)
def add(a, b=0):
    return a + b


@room.task(lane="process", max_attempts=1)
def nap(seconds):
    mark(f"napping {os.getpid()} {os.getppid()}")
    time.sleep(seconds)
    mark("slept")


@room.task(lane="process", max_attempts=1)
def spin():
    mark(f"spinning {os.getpid()} {os.getppid()}")
    while True:
        pass


@room.task(lane="process", max_attempts=1)
def hold():
    """In C code that lets no other thread run."""
    mark(f"holding {os.getpid()} {os.getppid()}")
    ctypes.PyDLL(None).sleep(60)


@room.task(lane="process", max_attempts=1, retry_on=Trouble)
def get_into_trouble():
    raise Trouble("of main")


@room.task
def say(word):
    mark(f"said {word} in {os.getpid()}")


@room.task(lane="process", max_attempts=1)
def ask(word):
    say.enqueue(word)
    mark(f"asked in {os.getpid()}")


@room.task(lane="process", max_attempts=1)
def call():
    room.spawn(print)


@room.task(lane="process", max_attempts=1)
def ask_in_vain():
    say.using(durable=False).enqueue("never")


def tell(task, *args):
    result = task.enqueue(*args).wait(20)
    if result.errors:
        mark(f"{result.errors[-1].exception_class_path}: {result.errors[-1].message}")
    else:
        mark(f"{result.status} {result.return_value}")


def serve():
    try:
        Event().wait()
    finally:
        room.stop(0)
        mark("stopped")


ACTS = {
    "add": lambda: tell(add, 1, 2),
    "nap": lambda: (nap.enqueue(30), serve()),
    "short nap": lambda: (nap.enqueue(1), serve()),
    "spin": lambda: (spin.enqueue(), serve()),
    "hold": lambda: (hold.enqueue(), serve()),
    "trouble": lambda: tell(get_into_trouble),
    "ask": lambda: (tell(ask, "hello"), serve()),
    "memory": lambda: tell(ask, "hello"),
    "call": lambda: tell(call),
    "volatile": lambda: tell(ask_in_vain),
    "patched add": lambda: tell(add, 1, 2),
    "patched nap": lambda: (nap.enqueue(30), serve()),
}

if __name__ == "__main__":
    room.start()
    ACTS[sys.argv[2]]()
    room.stop(0)
    mark("ended")
