"""Together: what tasks share, and wait for, in the threads' words that patching has made gevent's."""

import queue
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from functools import cache, cached_property, lru_cache, singledispatch


class Account:
    """Wrong at once, if two are within."""

    def __init__(self):
        self.lock = threading.Lock()
        self.reentrant = threading.RLock()
        self.condition = threading.Condition()
        self.gate = threading.Semaphore(3)
        self.balance = self.within = self.at_gate = 0
        self.turn = 0

    def add(self, amount):
        with self.reentrant:
            balance = self.balance
            for _ in range(10):
                pass
            self.balance = balance + amount


def locks(here):
    account = here.shared.account
    most = 0
    for n in range(40):
        with account.lock:
            account.within += 1
            for _ in range(5):
                assert account.within == 1
            account.within -= 1
        with account.reentrant:
            before = account.balance
            account.add(n)
            account.add(-n)
            assert account.balance == before
        with account.gate:
            account.at_gate += 1
            most = max(most, account.at_gate)
            account.at_gate -= 1
    return most <= 3


def conditions(here):
    condition = here.shared.account.condition
    box, taken = [], []

    def give():
        for n in range(20):
            with condition:
                box.append(n)
                condition.notify_all()

    giver = threading.Thread(target=give)
    giver.start()
    while len(taken) < 20:
        with condition:
            assert condition.wait_for(lambda: box, timeout=30)
            taken.append(box.pop(0))
    giver.join()
    return taken


def queues(here):
    """Everybody puts into the one queue, and takes as much: nothing gets lost, whoever has it."""
    shared = here.shared.queue
    total = 0
    for n in range(30):
        shared.put((n % 3, here.number))
        total += shared.get(timeout=30)[1] * 0 + 1
    mine = queue.PriorityQueue()
    for n in range(50):
        mine.put((n * here.number % 17, n))
    return total, [mine.get_nowait() for _ in range(50)]


@lru_cache(maxsize=16)
def _steps(number):
    """How many steps to 1, of Collatz's."""
    return 0 if number == 1 else 1 + _steps(number // 2 if number % 2 == 0 else 3 * number + 1)


@cache
def _squares(number):
    return sum(n * n for n in range(number))


class Costly:
    def __init__(self, number):
        self.number = number

    @cached_property
    def sum(self):
        return sum(n % 7 for n in range(self.number * 10))


class Key:
    """Compared and hashed by Python code, in the middle of the cache's own."""

    def __init__(self, number):
        self.number = number

    def __hash__(self):
        return self.number % 3

    def __eq__(self, other):
        for _ in range(2):
            pass
        return self.number == other.number


def _doubled(key):
    return [key.number] * 2


@singledispatch
def _kind(value):
    return "?"


@_kind.register
def _(value: int):
    return "int"


@_kind.register
def _(value: list):
    return f"list of {_kind(value[0])}"


def caches(here):
    costly = here.shared.costly
    # Its own: shared, one of limited size gives wrong results to plain threads too, when keys are compared in Python.
    of_key = lru_cache(maxsize=8)(_doubled)
    return (
        [_steps(n) for n in range(1, 40 + here.number % 5)],
        [_squares(n * 7) for n in range(20)],
        [each.sum for each in costly],
        [of_key(Key(n % 12)) for n in range(80)],
        [_kind(value) for value in (1, [1], "x", [[2]], True) for _ in range(10)],
    )


def logs(here):
    for n in range(25):
        here.shared.logger.info("%s says %s: %s", f"piece{here.number}", n, "x" * 40)
        if n % 10 == 9:
            try:
                raise LookupError(n)
            except LookupError:
                here.shared.logger.warning("%s went wrong", f"piece{here.number}", exc_info=True)
    return here.shared.logger.level


def _triple(number):
    for _ in range(50):
        pass
    return number * 3


def threads(here):
    with ThreadPoolExecutor(3) as pool:
        mapped = list(pool.map(_triple, range(12)))
        waited = sorted(future.result() for future in as_completed([pool.submit(_triple, n) for n in range(6)]))
    mine = threading.local()
    mine.number = here.number
    seen = []
    threads = [threading.Thread(target=lambda n=n: seen.append((n, hasattr(mine, "number")))) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return mapped, waited, sorted(seen), mine.number == here.number


def sockets(here):
    left, right = socket.socketpair()
    answers = []

    def answer():
        with right, right.makefile("rwb") as file:
            for line in file:
                file.write(line[::-1].strip() + b"\n")
                file.flush()

    thread = threading.Thread(target=answer)
    thread.start()
    with left, left.makefile("rwb") as file:
        for n in range(12):
            file.write(b"%d %d\n" % (n, here.number))
            file.flush()
            answers.append(file.readline())
            for _ in range(100):
                pass
        left.shutdown(socket.SHUT_WR)
    thread.join()
    return answers


def sleeping(here):
    total = 0
    for n in range(4):
        total += sum(k * n for k in range(2000))
        before = time.monotonic()
        time.sleep(0.001)
        assert time.monotonic() - before >= 0.001
    return total


PIECES = (locks, conditions, queues, caches, logs, threads, sockets, sleeping)
