"""Memory: references that are told of the end, finalizers, and cyclic garbage all the time."""

import gc
import weakref
from collections import OrderedDict, UserDict, defaultdict


class Thing:
    """With a cycle, and a finalizer that runs Python code in the middle of whatever else."""

    def __init__(self, name, ended):
        self.name = name
        self.me = [self]
        self.ended = ended

    def __del__(self):
        for _ in range(3):
            self.ended.append(self.name)


def garbage(here):
    """Cycles with finalizers, and a collection now and then while others have theirs."""
    ended = []
    for n in range(120):
        Thing(n, ended)
        if n % 40 == 39:
            gc.collect(n % 3)
    gc.collect()
    # Others that collect meanwhile may run these finalizers: they all have run when nobody collects any more.
    while len(ended) < 360:
        gc.collect()
    return sorted(ended)


def weak_references(here):
    ended, called = [], []
    known, values, all_of_them = weakref.WeakKeyDictionary(), weakref.WeakValueDictionary(), weakref.WeakSet()

    def told(reference):
        called.append(sum(range(20)))

    for _ in range(8):
        things = [Thing(n, ended) for n in range(12)]
        references = [weakref.ref(thing, told) for thing in things]
        finalizers = [weakref.finalize(thing, called.append, -1) for thing in things[::4]]
        for thing in things:
            known[thing] = thing.name
            values[thing.name] = thing
            all_of_them.add(thing)
            thing.me.clear()
        count = len(known), len(values), len(all_of_them), sum(known.values())
        thing = None
        things.clear()
        assert not any(reference() for reference in references)
        assert not any(finalizer.alive for finalizer in finalizers)
    return count, len(known), len(values), len(all_of_them), len(ended), sorted(called)


class Counting(UserDict):
    def __missing__(self, key):
        self[key] = value = [key] * 2
        return value


def mappings(here):
    counts, ordered, lists = Counting(), OrderedDict(), defaultdict(list)
    for n in range(400):
        counts[n % 13].append(n * here.number % 7)
        ordered[n % 29] = n
        ordered.move_to_end(n % 29, last=bool(n % 2))
        lists[n % 5].append(ordered.popitem(last=False) if len(ordered) > 20 else n)
    return dict(counts), list(ordered.items()), lists[3]


def a_great_pile(here):
    """Tuples and lists nested so deep that to let go of them takes the trashcan."""
    piles = []
    for n in range(4):
        pile = None
        for k in range(3000):
            pile = (pile, [k]) if k % 50 else [pile, Thing(k, piles)]
        del pile
        gc.collect()
        piles.append(n)
    while len(piles) < 4 + 4 * 60 * 3:
        gc.collect()
    return sorted(piles)


PIECES = (garbage, weak_references, mappings, a_great_pile)
