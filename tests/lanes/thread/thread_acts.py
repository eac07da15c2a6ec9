"""What the tasks of these tests do in their threads, and where they leave what they saw."""

import time

from greenroom._native import allocate_lock, get_ident


class Stage:
    """Cleared for each test."""

    def clear(self):
        self.seen = []
        self.is_over = False
        self.room = None
        self.latch = allocate_lock()  # a native one: who waits for it is in C, and cannot be interrupted
        self.latch.acquire()


stage = Stage()


def add(a, b):
    return a + b


def tell_thread():
    return get_ident()


def compute_without_end():
    stage.seen.append(get_ident())
    while not stage.is_over:
        pass


def insist():
    """Go on each time that it is to end."""
    try:
        compute_without_end()  # of its own: Python 3.13 leaves a loop's jump back out of the `try` around it
    except BaseException:  # noqa: BLE001 - knowingly
        stage.seen.append("struck")
        insist()


def wait_in_c():
    stage.seen.append(get_ident())
    stage.latch.acquire()


def sleep(seconds):
    stage.seen.append(get_ident())
    time.sleep(seconds)
    return get_ident()
