"""A small app, to be run as a process of its own, and to be killed or interrupted: play.py FOLDER ACT.

It leaves word of what it does in a file `marks`.
"""

from gevent import monkey

monkey.patch_all()

import os
import signal
import sys
import time
from pathlib import Path

from gevent.event import Event

from greenroom import Greenroom, constant

# Whatever starts the tests in the background has SIGINT ignored, and so has what it starts: not so in a terminal.
signal.signal(signal.SIGINT, signal.default_int_handler)

folder = Path(sys.argv[1])
room = Greenroom(f"sqlite:///{folder}/greenroom.db")


def mark(text):
    with (folder / "marks").open("a") as file:
        file.write(f"{text}\n")


def nap(seconds):
    mark("begun")
    time.sleep(seconds)
    mark("ended")


def spin(seconds):
    mark("begun")
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        pass
    mark("ended")


def poison():
    mark("begun")
    os.kill(os.getpid(), signal.SIGKILL)


def interrupt_itself():
    raise KeyboardInterrupt


for func in (nap, spin, poison, interrupt_itself):
    room.task(name=func.__name__, max_attempts=2, backoff=constant(0))(func)


def run(*acts):
    """Enqueue these, and serve until somebody ends it; then give back what still runs."""
    room.start()
    for name, *args in acts:
        mark(room.tasks[name].enqueue(*args).id)
    try:
        Event().wait()
    finally:
        room.stop(0)
        mark("stopped")


def call(function, *args):
    room.start()
    room.spawn(function, *args)
    try:
        Event().wait()
    finally:
        mark("interrupted")


def leave(*act):
    """Come to the end of the program while a task runs, without having stopped the room."""
    room.start()
    name, *args = act
    mark(room.tasks[name].enqueue(*args).id)
    while "begun" not in (folder / "marks").read_text():
        Event().wait(0.01)


def go_on_after_one():
    """One interrupt is ignored: the task that it met runs again."""
    room.start()
    mark(room.tasks["spin"].enqueue(1).id)
    try:
        Event().wait()
    except KeyboardInterrupt:
        mark("ignored")
    Event().wait()


ACTS = {
    "serve": run,
    "nap": lambda: run(("nap", 3600)),
    "spin": lambda: run(("spin", 3600)),
    "poison": lambda: run(("poison",)),
    "interrupt itself": lambda: run(("interrupt_itself",), ("nap", 0)),
    "call": lambda: call(spin, 3600),
    "go on": go_on_after_one,
    "leave a nap": lambda: leave("nap", 3600),
    "leave a spin": lambda: leave("spin", 3600),
}

if __name__ == "__main__":
    ACTS[sys.argv[2]]()
