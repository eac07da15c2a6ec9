"""A site whose pages and tasks hold the loop, each in its own way."""

import json
import os
import time
from urllib.parse import parse_qsl

from gevent.monkey import get_original

from greenroom import Greenroom
from greenroom.lanes.traffic import traffic

hold = get_original("time", "sleep")  # waits in C: nothing can be put aside meanwhile
room = Greenroom("memory://", preempt_requests=os.environ.get("PREEMPT_REQUESTS") == "yes")
room.monitor.stuck_after = 0.4
room.monitor.threshold = 0.15
seen = []


@room.task
def hold_in_c(seconds):
    hold(seconds)


@room.task(lane="idle")
def tidy_up():
    seen.append("tidied up")


def app(environ, start_response):
    body = PAGES[environ["PATH_INFO"]](**dict(parse_qsl(environ["QUERY_STRING"])))
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(body).encode()]


def task(seconds):
    return hold_in_c.enqueue(float(seconds)).id


def page(seconds, secret=""):
    hold(float(seconds))


def compute(seconds):
    """Computes in Python for so long, and says how long others had to wait at most."""
    ends = time.perf_counter() + float(seconds)
    while time.perf_counter() < ends:
        for _ in range(1000):
            pass


def blockers():
    return [[each.kind, each.name, each.advice] for each in room.monitor.blockers()]


def lag():
    return room.monitor.lag().max


def tidy():
    """Asks for it while a request, this one, is in flight."""
    tidy_up.enqueue()
    time.sleep(0.3)
    return [list(seen), traffic.in_flight]


PAGES = {
    "/task": task,
    "/page": page,
    "/compute": compute,
    "/blockers": blockers,
    "/lag": lag,
    "/tidy": tidy,
    "/seen": lambda: [seen, traffic.in_flight],
}
