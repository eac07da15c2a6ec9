"""What the soak serves: each request enqueues a job, and /census tells what the process holds."""

import gc
import json
import os
import time
from datetime import timedelta
from pathlib import Path

import greenlet

from greenroom import Greenroom

# Kept for a short while, so that within minutes as much is pruned as is added.
SLOTS = {"greenlet": 8, "thread": 2}
room = Greenroom(f"sqlite:///{os.environ['SOAK_DATABASE']}", retention=timedelta(seconds=20), lanes=SLOTS)


@room.task
def work(number):
    return number


@room.task(lane="thread")
def work_in_a_thread(number):
    return number


@room.task
def rest(seconds):
    time.sleep(seconds)


@room.task(lane="thread")
def rest_in_a_thread(seconds):
    time.sleep(seconds)


def app(environ, start_response):
    if environ["PATH_INFO"] == "/census":
        body = json.dumps(census())
    elif environ["PATH_INFO"] == "/crowd":
        body = crowd()
    else:
        number = int(environ["QUERY_STRING"])
        (work if number % 10 else work_in_a_thread).enqueue(number)
        body = "ok"
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body.encode()]


def crowd():
    """Use all slots at once, so that all their greenlets and threads are there: how many are needed varies."""
    tasks = {"greenlet": rest, "thread": rest_in_a_thread}
    is_full = False
    while not is_full:  # a loop that is late, as right after a start, has fewer slots for a while
        results = [tasks[lane].enqueue(0.5) for lane, slots in SLOTS.items() for _ in range(slots)]
        time.sleep(0.25)
        is_full = all(room.lane_states()[lane].running == slots for lane, slots in SLOTS.items())
        for result in results:
            result.wait()
    return "ok"


def census():
    gc.collect()
    greenlets = sum(isinstance(thing, greenlet.greenlet) for thing in gc.get_objects())
    fds, threads = (len([*Path(f"/proc/self/{what}").iterdir()]) for what in ("fd", "task"))
    return {"fds": fds, "threads": threads, "greenlets": greenlets}
