"""What children of the process lane are given to do. Imported by them: nothing here may start anything."""

import ctypes
import logging
import os
import signal
import sys
import threading
import time
from pathlib import Path

from gevent import GreenletExit

from greenroom import InvalidOption, Retry, Snooze, baggage, request_id, track
from greenroom._attempt import current
from greenroom.lanes import breath

PATIENCE = 20.0  # seconds until what has not come about is taken for broken


def add(a, b=0):
    return a + b


def pid():
    return os.getpid()


def give_back(value):
    return value


def mark(path, text):
    with Path(path).open("a") as file:
        file.write(f"{text}\n")


def wait_for(path, patience=PATIENCE):
    ends = time.monotonic() + patience
    while not Path(path).exists():
        if time.monotonic() > ends:
            raise AssertionError(f"waited in vain for {path}")
        time.sleep(0.005)


def meet(here, there):
    """Say that this has begun, and wait until the other has."""
    mark(here, os.getpid())
    wait_for(there)
    return os.getpid()


def spin(path):
    mark(path, os.getpid())
    while True:
        pass


def spin_whatever_comes(path):
    mark(path, os.getpid())
    while True:
        try:
            while True:
                pass
        except BaseException:  # noqa: BLE001 - as badly as can be
            pass


def nap(path, seconds=60):
    mark(path, os.getpid())
    time.sleep(seconds)


def clean_up(path, what):
    mark(path, os.getpid())
    try:
        time.sleep(60)
    except BaseException as error:
        mark(what, type(error).__name__)
        raise


def carry_on_unless_told(path):
    mark(path, os.getpid())
    ends = time.monotonic() + PATIENCE
    while time.monotonic() < ends:
        breath.get()()
        time.sleep(0.01)


def crash():
    ctypes.string_at(0)


def leave(code):
    os._exit(code)


def leave_somebody_behind(path):
    """Who has all that this process has open."""
    child = os.fork()
    if child == 0:
        time.sleep(30)
        os._exit(0)
    mark(path, child)
    os._exit(4)


def kill_itself(number):
    os.kill(os.getpid(), number)
    time.sleep(20)


def eat(megabytes):
    held = []
    for _ in range(megabytes):
        held.append(bytearray(1_000_000))
        time.sleep(0.001)
    time.sleep(20)


class Odd(Exception):
    """Pickles, and cannot be made again."""

    def __init__(self, one, two):
        super().__init__(f"{one} and {two}")


class Plain(Exception):
    pass


RAISED = {
    "SystemExit": SystemExit,
    "KeyboardInterrupt": KeyboardInterrupt,
    "GreenletExit": GreenletExit,
    "StopIteration": StopIteration,
    "ValueError": lambda: ValueError("it broke"),
    "Odd": lambda: Odd(1, 2),
    "Plain": lambda: Plain("plain"),
    "Retry": lambda: Retry("once more", after=0),
    "Snooze": lambda: Snooze(1000),
    "InvalidOption": lambda: InvalidOption("no"),
}


def fail(name):
    raise RAISED[name]()  # noqa: RSE102 - some are functions


def fail_because():
    try:
        fail("ValueError")
    except ValueError as error:
        raise Plain("after that") from error


def make_lambda():
    return lambda: None


def tell():
    visit = current.get()
    return [
        visit.attempt,
        visit.job.id,
        visit.job.queue_name,
        visit.deadline and visit.deadline.isoformat(),
        request_id.get(),
        dict(baggage.get()),
        str(visit),
    ]


def tell_context(context, word):
    return [context.attempt, word]


def go_on(there):
    visit = current.get()
    visit.progress(1, 3, "begun")
    wait_for(there)
    visit.progress(3, 3, "ended")


def log_some():
    log = logging.getLogger("labours")
    log.debug("in detail %s", 1)
    log.warning("loudly %s", [2], extra={"thing": object()})
    try:
        fail("ValueError")
    except ValueError:
        log.exception("it went wrong")


def log_in_a_thread():
    threads = [threading.Thread(target=logging.getLogger("labours").warning, args=("%s", n)) for n in range(4)]
    for thread in threads:
        thread.start()
    for n in range(4, 8):
        logging.getLogger("labours").warning("%s", n)
    for thread in threads:
        thread.join()


def open_files():
    links = [link for link in Path("/proc/self/fd").iterdir() if int(link.name) > 2]
    return [str(link.readlink()) for link in links if link.is_symlink()]


def oom_score():
    return int(Path("/proc/self/oom_score_adj").read_text())


def is_patched():
    from gevent import monkey

    return monkey.is_module_patched("socket")


def ignore_interrupts():
    return signal.getsignal(signal.SIGINT) is signal.default_int_handler


def path():
    return [sys.path, str(Path.cwd()), sys.argv]


def nap_through_sigterm():
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(0.01)
    raise Plain("went on")


def plod(path):
    mark(path, "begun")
    for row in track(range(10_000_000), resume=True):
        time.sleep(0.001)
        if row == 50:
            mark(path, "50 rows")


def ask_until_stopping(path):
    mark(path, "begun")
    while not current.get().is_stopping:
        time.sleep(0.001)
    return "it saw it coming"
