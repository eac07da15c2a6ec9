"""Torture: pieces of work of every kind, computed in peace, and then all at once under pre-emption."""

import contextlib
import gc
import logging
import random
import sys
import threading
import time
import traceback
import warnings

import gevent
from pieces import PIECES, Here
from shared import Shared

from greenroom import Greenroom
from greenroom._guard import guard_here

QUANTA = (0.0003, 0.0005, 0.001)
NUMBERS = 3  # performances of each piece in a round
LONG = 0.004  # seconds that a piece is to take at least
PATIENCE = 60.0  # seconds for a round


def perform(name, number):
    """What the tasks do. A task is a module-level function."""
    return Torture.present.perform(name, number)


class Torture:
    """Rounds of tasks until there were so many pre-emptions. `differences` is what is to be empty in the end."""

    present = None

    def __init__(self, folder, seed, pieces=None):
        Torture.present = self
        self.differences = []
        self.preemptions = 0
        self.done = 0
        self.rounds = 0
        self._times = {}  # how often a piece that is short is done each time
        self._random = random.Random(seed)
        self._pieces = PIECES if pieces is None else pieces
        self._shared = Shared(folder)
        self._room = Greenroom(f"sqlite:///{folder}/torture.db", durability="process", lanes={"greenlet": 40})
        self._volatile = self._room.task(perform, name="volatile", durable=False)
        self._durable = self._room.task(perform, name="durable", max_attempts=1)

    def run(self, preemptions):
        expected = {
            (name, number): self._in_peace(name, number) for name in self._pieces for number in range(NUMBERS)
        }
        gc.collect()
        gc.freeze()  # else each collection goes through all that pytest has ever made
        try:
            with self._overhearing():
                self._room.start()
                guard = guard_here()
                assert guard.why_off is None, guard.why_off
                before = guard.preemptions
                while self.preemptions < preemptions and not self.differences:
                    self._round(guard, expected)
                    self.preemptions = guard.preemptions - before
                self._room.stop(5)
            self.differences += self._shared.faults()
        finally:
            gc.unfreeze()
            self._room.stop(0)
            self._shared.close()
        return self

    def __str__(self):
        return f"{self.preemptions:,} pre-emptions, {self.done:,} pieces, {len(self.differences)} differences"

    def _in_peace(self, name, number):
        try:
            begun = time.perf_counter()
            result = self.perform(name, number)
            took = time.perf_counter() - begun
            self._times.setdefault(name, max(1, int(LONG / took)))
            return result
        except Exception as error:
            raise AssertionError(f"{name} {number} fails even in peace") from error

    def perform(self, name, number):
        """As often as it takes to be put aside a few times; gives back what was found, one of each."""
        found = {repr(self._pieces[name](Here(number, self._shared))) for _ in range(self._times.get(name, 1))}
        return "\nor else ".join(sorted(found))

    def _round(self, guard, expected):
        self.rounds += 1
        self._shared.new_round()
        guard._rhythm.quantum = self._random.choice(QUANTA)
        work = list(expected)
        self._random.shuffle(work)
        begun = [(*each, self._begin(*each)) for each in work]
        try:
            with gevent.Timeout(PATIENCE):
                for name, number, get in begun:
                    self._compare(name, number, get, expected[name, number])
        except gevent.Timeout:
            self.differences.append(f"round {self.rounds} came to no end:\n{_stacks()}")

    def _begin(self, name, number):
        way = self._random.random()
        if way < 0.7:
            return self._room.spawn(self.perform, name, number).get
        task = self._volatile if way < 0.9 else self._durable
        result = task.using(priority=self._random.randrange(-20, 20)).enqueue(name, number)
        return lambda: result.wait().return_value

    def _compare(self, name, number, get, expected):
        self.done += 1
        try:
            found = get()
        except Exception:  # noqa: BLE001  (a piece may fail in any way)
            self.differences.append(f"{name} {number} raised:\n{traceback.format_exc()}")
            return
        if found != expected:
            self.differences.append(f"{name} {number} came to another result:\n{_first_difference(found, expected)}")

    @contextlib.contextmanager
    def _overhearing(self):
        """Whatever is logged as an error, warned of or raised where nobody catches it, is a difference too."""
        hub, root = gevent.get_hub(), logging.getLogger()
        ear = logging.Handler(logging.ERROR)
        ear.emit = lambda record: self.differences.append(f"was logged: {ear.format(record)}")
        before = sys.unraisablehook, threading.excepthook

        def heard(where):
            return lambda *args: self.differences.append(f"{where}: {args!r} {_text(args)}")

        sys.unraisablehook, threading.excepthook = heard("nobody could catch it"), heard("a thread died")
        hub.handle_error = heard("a greenlet died")
        root.addHandler(ear)
        try:
            with warnings.catch_warnings(record=True) as warned:
                warnings.simplefilter("always")
                yield
            self.differences += [f"was warned of: {each}" for each in warned if not _is_known(each)]
        finally:
            root.removeHandler(ear)
            del hub.handle_error
            sys.unraisablehook, threading.excepthook = before


def _is_known(warning):
    return issubclass(warning.category, DeprecationWarning)


def _text(args):
    first = args[0] if args else None
    error = getattr(first, "exc_value", None) or next((arg for arg in args if isinstance(arg, BaseException)), None)
    return "".join(traceback.format_exception(error)) if error else ""


def _first_difference(found, expected):
    at = next((at for at, (a, b) in enumerate(zip(found, expected, strict=False)) if a != b), 0)
    return f"  {found[max(0, at - 80) : at + 80]}\n  {expected[max(0, at - 80) : at + 80]}"


def _stacks():
    greenlets = (each for each in gc.get_objects() if isinstance(each, gevent.greenlet.greenlet) and each.gr_frame)
    return "\n".join("".join(traceback.format_stack(each.gr_frame, 12)) for each in greenlets)
