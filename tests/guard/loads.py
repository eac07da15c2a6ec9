"""What the tasks of these tests do to the loop, and how it is seen."""

import time
import zlib

import gevent
from gevent import Timeout
from gevent.event import Event
from gevent.monkey import get_original

PATIENCE = 10.0  # seconds until what has not come about is taken for broken
BEAT = 0.005  # seconds

hold = get_original("time", "sleep")  # waits in C: nothing can be put aside meanwhile
BLOCK = bytes(range(256)) * 20_000


def until(happens, seconds=PATIENCE):
    with Timeout(seconds, AssertionError("waited in vain")):
        while not (found := happens()):
            gevent.sleep(0.005)
        return found


class Scene:
    """What a test and its tasks have to say to each other; cleared for each test."""

    def __init__(self):
        self.clear()

    def clear(self):
        self.seen = []
        self.caught = 0
        self.steps = 0
        self.is_over = False
        self.curtain = Event()


scene = Scene()


class Heart:
    """A greenlet that wants to run each few milliseconds, as a request does."""

    def __init__(self):
        self._greenlet = gevent.spawn(self._beat)
        self.begin()

    def begin(self):
        self.latest = 0.0
        self.beats = 0

    def stop(self):
        self._greenlet.kill()

    def _beat(self):
        while True:
            began = time.perf_counter()
            gevent.sleep(BEAT)
            self.latest = max(self.latest, time.perf_counter() - began - BEAT)
            self.beats += 1


def compute(seconds):
    """In Python alone, for so many seconds of CPU time at least."""
    ends = time.thread_time() + seconds
    steps = 0
    while time.thread_time() < ends:
        for _ in range(1000):
            steps += 1
    return steps


def count_to(number):
    steps = 0
    while steps < number:
        steps += 1
    scene.seen.append(number)
    return steps


def compute_for_ever():
    while not scene.is_over:
        scene.steps += 1


def compute_on():
    while not scene.is_over:
        scene.steps += 1


def compute_and_swallow(times):
    """Computes on, whatever it is told, so many times; then it does what it is told."""
    while not scene.is_over:
        try:
            compute_on()  # not here: CPython does not take a loop's jump back for part of the `try` that it begins
        except BaseException:
            scene.caught += 1
            if scene.caught > times:
                raise


def wait_and_swallow(times):
    while not scene.is_over:
        try:
            scene.curtain.wait()
        except BaseException:
            scene.caught += 1
            if scene.caught > times:
                raise


def hold_the_loop(seconds):
    hold(seconds)


def compress(times):
    for _ in range(times):
        zlib.compress(BLOCK, 9)


def wait(word=None):
    scene.seen.append(word)
    scene.curtain.wait()
    return word


def add(a, b=0):
    return a + b
