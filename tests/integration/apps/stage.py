"""A site with a page and a task for each thing that a server may have to cope with."""

import json
import os
import signal
import sys
import threading
import time
from pathlib import Path
from urllib.parse import parse_qsl

from gevent import monkey

from greenroom import Greenroom, baggage, request_id, track

room = Greenroom()  # greenroom.db, beside this file
marks = Path(__file__).with_name("marks")


def mark(text):
    with marks.open("a") as file:
        file.write(f"{text}\n")


@room.task
def who():
    return request_id.get()


@room.task
def nap(seconds):
    mark("nap begins")
    time.sleep(seconds)
    mark("nap ends")


@room.task(preempt=False)  # else it would be put aside, and block nothing
def spin(seconds):
    mark("spin begins")
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        pass
    mark("spin ends")


@room.task
def hold(seconds):
    mark("hold begins")
    monkey.get_original("time", "sleep")(seconds)
    mark("hold ends")


@room.task(on_drain="interrupt")
def crawl(seconds):
    """Goes on at the row where it was interrupted."""
    for row in track(range(int(seconds * 100)), resume=True):
        mark(f"row {row}")
        time.sleep(0.01)


@room.task
def die_once(seconds):
    if room.current().attempt == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    mark("lives on")


@room.task
def whoami():
    return os.getpid()


def app(environ, start_response):
    page = PAGES.get(environ["PATH_INFO"], missing)
    status, body = page(**dict(parse_qsl(environ["QUERY_STRING"])))
    start_response(status, [("Content-Type", "text/plain")])
    return [body.encode()]


def hello(name=""):
    return "200 OK", "hello"


def missing():
    return "404 Not Found", "there is no such page"


def slow(seconds, then=None):
    mark("slow begins")
    time.sleep(float(seconds))
    return enqueue(then, 0) if then else ("200 OK", "at last")


def enqueue(task, seconds, after="0"):
    result = room.tasks[f"stage.{task}"].using(run_after=float(after)).enqueue(float(seconds))
    return "200 OK", result.id


def job(result_id):
    result = room.get_result(result_id)
    return "200 OK", json.dumps([result.status, result.attempts])


def whose():
    return "200 OK", f"{request_id.get()} {who.enqueue().wait(10).return_value}"


def carry():
    before = dict(baggage.get())
    baggage.set({"left": "behind"})
    return "200 OK", json.dumps(before)


def work():
    """Which process ran a task that was enqueued here, when its slots are taken by others."""
    return "200 OK", str(whoami.enqueue().wait(10).return_value)


def boom():
    raise ValueError("the page is broken")


def leave():
    sys.exit(3)


def patched():
    names = ("socket", "ssl", "threading", "time", "queue", "subprocess", "select")
    return "200 OK", json.dumps([name for name in names if not monkey.is_module_patched(name)])


def threads():
    """Whether a thread is a greenlet here, in a module that was imported before the patching as well."""
    ran = []
    thread = threading.Thread(target=lambda: ran.append(threading.current_thread().name), name="mine")
    thread.start()
    thread.join(5)
    return "200 OK", ran[0]


def pid():
    return "200 OK", str(os.getpid())


def environ(name):
    return "200 OK", os.environ.get(name, "unset")


PAGES = {
    "/environ": environ,
    "/pid": pid,
    "/hello": hello,
    "/slow": slow,
    "/enqueue": enqueue,
    "/job": job,
    "/whose": whose,
    "/carry": carry,
    "/work": work,
    "/boom": boom,
    "/leave": leave,
    "/patched": patched,
    "/threads": threads,
    "/healthz": lambda: ("200 OK", "the app's own"),
}
