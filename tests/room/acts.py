"""What the tasks of these tests do, and where they leave what they saw.

A task is a module-level function, and what a durable one is given has been through the codec: so whatever else a
test and its tasks have to say to each other, they say on the stage.
"""

import gevent
import pytest
from gevent import Timeout
from gevent.event import Event
from gevent.queue import Queue

PATIENCE = 20.0  # seconds until what has not come about is taken for broken

# For tests of what is not the same everywhere; the others are played in every kind of room.
in_a_file = pytest.mark.parametrize("kind", ["sqlite"], indirect=True)
durable = pytest.mark.parametrize("kind", ["sqlite", "memory"], indirect=True)
volatile = pytest.mark.parametrize("kind", ["volatile"], indirect=True)


def until(happens):
    """Let the others run until `happens()` is true."""
    with Timeout(PATIENCE, AssertionError("waited in vain")):
        while not happens():
            gevent.sleep(0.002)


class Stage:
    """Cleared for each test."""

    def __init__(self):
        self.clear()

    def clear(self):
        self.seen = []
        self.entered = Queue()  # what each task that waits for the curtain was given
        self.curtain = Event()
        self.on_stage = 0
        self.most_on_stage = 0
        self.room = None
        self.result = None

    def wait_for(self, count=1):
        """Until so many tasks have come to wait for the curtain; gives what they were called with."""
        with Timeout(PATIENCE, AssertionError(f"no {count} tasks came on stage")):
            return [self.entered.get() for _ in range(count)]


stage = Stage()


def add(a, b=0):
    return a + b


def see(*args, **kwargs):
    stage.seen.append((args, kwargs))


def say(word):
    stage.seen.append(word)
    return word


def wait(word=None):
    """On stage until the curtain falls."""
    stage.on_stage += 1
    stage.most_on_stage = max(stage.most_on_stage, stage.on_stage)
    stage.entered.put(word)
    try:
        stage.curtain.wait()
    finally:
        stage.on_stage -= 1
    stage.seen.append(word)
    return word


def breathe(word=None):
    """On stage for a few turns of the loop."""
    stage.on_stage += 1
    stage.most_on_stage = max(stage.most_on_stage, stage.on_stage)
    Event().wait(0.001)
    stage.on_stage -= 1
    stage.seen.append(word)


def break_down(message="it broke"):
    stage.seen.append(message)
    raise ValueError(message)


def succeed_at(number):
    """Fails until it is tried for the number-th time."""
    stage.seen.append(stage.room.current().attempt)
    if len(stage.seen) < number:
        raise ConnectionError(f"try {len(stage.seen)}")
    return len(stage.seen)
