"""Data: numbers, orders, copies and classes, with Python code called from C in the middle of them."""

import base64
import bisect
import copy
import dataclasses
import datetime
import decimal
import enum
import functools
import hashlib
import heapq
import io
import itertools
import operator
import pickle
import statistics
import struct
import uuid
import zlib
from fractions import Fraction
from random import Random


class Digits(int):
    """A number whose arithmetic is Python code that C code calls."""

    def __add__(self, other):
        return Digits(int(self) + int(other))

    __radd__ = __add__

    def __lt__(self, other):
        return int(str(self)[::-1]) < int(str(other)[::-1])

    def squared(self):
        return int(self) * int(self)

    def __hash__(self):
        return hash(str(self))

    def __eq__(self, other):
        return str(self) == str(other)


def decimals(here):
    places = here.number % 25 + 5
    rounding = (decimal.ROUND_UP, decimal.ROUND_DOWN, decimal.ROUND_HALF_EVEN)[here.number % 3]
    sums = []
    with decimal.localcontext() as context:
        context.prec, context.rounding = places, rounding
        for n in range(1, 60):
            sums.append(sum((decimal.Decimal(n) / decimal.Decimal(k) for k in range(1, 9)), decimal.Decimal(0)))
            assert decimal.getcontext().prec == places
            with decimal.localcontext() as inner:
                inner.prec = 3
                sums.append(+sums[-1])
        assert decimal.getcontext() is context
    return sums, decimal.getcontext().prec


class Node:
    def __init__(self, name, children=()):
        self.name = name
        self.children = list(children)
        self.parent = None
        for child in self.children:
            child.parent = self

    def __reduce__(self):
        return _node, (self.name, self.children)

    def __deepcopy__(self, memo):
        memo[id(self)] = made = Node(f"{self.name}'")
        made.children = copy.deepcopy(self.children, memo)
        return made

    def names(self):
        return [self.name, *(name for child in self.children for name in child.names())]


def _node(name, children):
    return Node(name, children)


def _tree(depth, name="n"):
    return Node(name, [_tree(depth - 1, f"{name}{k}") for k in range(2)] if depth else ())


class _Pickler(pickle.Pickler):
    def persistent_id(self, obj):
        return ("known", obj.number) if isinstance(obj, _Known) else None


class _Unpickler(pickle.Unpickler):
    def persistent_load(self, pid):
        return _Known(pid[1])

    def find_class(self, module, name):
        return super().find_class(module, "".join(name))


class _Known:
    def __init__(self, number):
        self.number = number

    def __getstate__(self):
        raise AssertionError("known to both sides")


def pickles(here):
    out = io.BytesIO()
    _Pickler(out, here.number % 5 + 1).dump(
        [_tree(5), [_Known(n) for n in range(30)], {"at": Fraction(here.number, 7)}]
    )
    tree, known, rest = _Unpickler(io.BytesIO(out.getvalue())).load()
    slow = pickle._loads(pickle._dumps(tree))  # the ones written in Python
    return tree.names(), [each.number for each in known], rest, slow.names() == tree.names()


def copies(here):
    tree = _tree(5)
    nested = {n: [{"tree": tree}, (n, [n])] for n in range(10)}
    made = copy.deepcopy(nested)
    return made[0][0]["tree"] is made[9][0]["tree"], made[3][0]["tree"].names(), tree.names()


def orders(here):
    numbers = [Digits(here.random.randrange(10_000)) for _ in range(150)]
    heap = []
    for number in numbers:
        heapq.heappush(heap, number)
    taken = [int(heapq.heappop(heap)) for _ in range(100)]
    ordered = sorted(numbers, key=lambda number: (str(number)[-1], number))
    places = [bisect.bisect(sorted(numbers), number, key=lambda each: each) for number in numbers[:20]]
    merged = heapq.merge(ordered[::2], ordered[1::2], key=str, reverse=True)
    by_text = sorted(numbers, key=functools.cmp_to_key(lambda a, b: (str(a) > str(b)) - (str(a) < str(b))))
    distinct = len(set(numbers)) == len({int(number) for number in numbers})
    return taken, [int(n) for n in ordered], places, [int(n) for n in merged], [int(n) for n in by_text], distinct


def iterations(here):
    rows = [(n % 7, n * here.number % 31) for n in range(200)]
    groups = {key: sum(row[1] for row in group) for key, group in itertools.groupby(sorted(rows), lambda row: row[0])}
    summed = list(itertools.accumulate((b for _, b in rows), lambda total, b: (total * 3 + b) % 9973))
    taken = list(
        itertools.takewhile(
            lambda n: n % 89 != 88, filter(lambda n: n % 3, map(Digits.squared, map(Digits, range(500))))
        )
    )
    folded = functools.reduce(lambda a, b: (a * 31 + b[1]) % 1_000_003, rows, here.number)
    return (
        groups,
        summed[-20:],
        taken,
        folded,
        max(rows, key=lambda row: row[1] * 7 % 32),
        sum(map(Digits, range(99))),
    )


@functools.total_ordering
@dataclasses.dataclass
class Point:
    x: int
    y: int = 0
    tags: list = dataclasses.field(default_factory=list)

    def __post_init__(self):
        self.tags.append(self.x + self.y)

    def __lt__(self, other):
        return (self.y, self.x) < (other.y, other.x)


def classes(here):
    points = [dataclasses.replace(Point(n, here.number % (n + 1)), x=n + 1) for n in range(40)]
    made = dataclasses.make_dataclass(f"Made{here.number % 3}", [("a", int), ("b", list)], frozen=True, order=True)
    colour = enum.Enum("Colour", [f"C{n}" for n in range(15)])
    flag = enum.IntFlag("Flag", [f"F{n}" for n in range(6)])
    both = functools.reduce(operator.or_, list(flag)[: here.number % 5 + 1])
    rows = sorted(made(n % 4, [n]) for n in range(20))
    return (
        [dataclasses.astuple(point) for point in sorted(points)],
        rows,
        [c.value for c in colour],
        repr(both),
        len(flag),
    )


def big_numbers(here):
    n = here.number + 200
    power = pow(n, 300) * pow(3, 400)
    text = str(power)
    fractions = sum((Fraction(1, k + here.number) for k in range(1, 40)), Fraction(0))
    values = [Fraction(k * here.number % 17, 3) for k in range(60)]
    spread = statistics.mean(values), statistics.pvariance(values), statistics.median(values)
    return text[:40], int(text) == power, fractions, spread, statistics.linear_regression(range(60), values)


def chance(here):
    mine = Random(here.number)
    drawn = [mine.gauss(0, 1) for _ in range(50)], mine.sample(range(1000), 30), mine.choices("abc", k=20)
    deck = list(range(100))
    mine.shuffle(deck)
    return drawn, deck


def digests(here):
    body = b"%d " % here.number * 2000
    squeezed = zlib.compress(body, 9)
    parts = zlib.decompressobj()
    back = b"".join(parts.decompress(squeezed[n : n + 7]) for n in range(0, len(squeezed), 7)) + parts.flush()
    hashed = hashlib.sha256()
    for n in range(0, len(body), 211):
        hashed.update(body[n : n + 211])
    packed = [struct.pack("<IhQd", n, -n, n << 33, n / 3) for n in range(80)]
    unpacked = [struct.unpack("<IhQd", each) for each in packed]
    names = [uuid.uuid5(uuid.NAMESPACE_URL, f"{here.number}/{n}") for n in range(20)]
    return back == body, hashed.hexdigest(), unpacked[::9], base64.b85decode(base64.b85encode(body)) == body, names


def calendars(here):
    day = datetime.date(2020, 1, 1) + datetime.timedelta(days=here.number)
    return [(day + datetime.timedelta(days=n)).isocalendar() for n in range(0, 400, 7)], day.strftime("%A %d %B")


PIECES = (
    decimals,
    pickles,
    copies,
    orders,
    iterations,
    classes,
    big_numbers,
    chance,
    digests,
    calendars,
)
