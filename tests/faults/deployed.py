"""A site that is deployed again and again, and whose tasks leave word of each of their runs in a history."""

import os
import time
from pathlib import Path
from urllib.parse import parse_qsl

from greenroom import Greenroom, Status, signals, track
from tests.faults.recorder import Recorder

FOLDER = Path(os.environ["GREENROOM_DEPLOYED"])
room = Greenroom(f"sqlite:///{FOLDER}/greenroom.db")
recorder = Recorder(FOLDER / "history")


@signals.task_finished.connect
def note_outcome(sender, result):
    recorder.recorded(result)


@room.task(takes_context=True, max_attempts=3)
def nap(context, key):
    with recorder.running(key, context) as run:
        time.sleep(0.05)
        return run.value


@room.task(takes_context=True, max_attempts=3)
def compute(context, key):
    with recorder.running(key, context) as run:
        spin(0.03)
        return run.value


@room.task(takes_context=True, max_attempts=3, on_drain="interrupt")
def crawl(context, key):
    """Long enough to meet a deploy, and goes on where that interrupted it."""
    with recorder.running(key, context) as run:
        for _ in track(range(60), resume=True):
            time.sleep(0.01)
        return run.value


@room.task(takes_context=True, max_attempts=3)
def overstay(context, key):
    """Longer than a drain: it is given back, and begins anew."""
    with recorder.running(key, context) as run:
        time.sleep(2.5)
        return run.value


def spin(seconds):
    ends = time.perf_counter() + seconds
    while time.perf_counter() < ends:
        pass


def enqueue(task, key, busy="0"):
    spin(float(busy))
    with recorder.enqueueing(key) as acknowledge:
        acknowledge(room.tasks[f"{__name__}.{task}"].enqueue(key).id)
    return key


def left():
    counts = room.counts()
    return str(counts[Status.READY] + counts[Status.RUNNING])


PAGES = {"/enqueue": enqueue, "/left": left}


def app(environ, start_response):
    body = PAGES[environ["PATH_INFO"]](**dict(parse_qsl(environ["QUERY_STRING"]))).encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]
