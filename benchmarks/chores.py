"""Chores: what the tasks do while requests come in, the same functions for all; and loads made of them."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from random import Random
from time import sleep

from benchmarks.side import Unavailable

ROWS = 10_000  # of about 0.1 ms each: a report of a second

chance = Random(7)


def compute_row() -> int:
    total = 0
    for number in range(1500):
        total += number * number % 7
    return total


def compute(rows: int = ROWS) -> None:
    """A report, written by someone who never heard of greenlets."""
    for _ in range(rows):
        compute_row()


def compute_giving_way() -> None:
    """The same as the founding text has it: the hub has a chance every ten rows."""
    from gevent import sleep as give_way

    for number in range(ROWS):
        if number % 10 == 0:
            give_way(0)
        compute_row()


def compute_tracked() -> None:
    try:
        from greenroom import track
    except ImportError:
        raise Unavailable("this greenroom has no track()") from None

    for _ in track(range(ROWS)):
        compute_row()


def wait() -> None:
    """Something on the network, and a few hundred microseconds of Python with what came from there."""
    sleep(chance.uniform(0.005, 0.05))
    compute(3)


def deflate() -> None:
    """C code that lets go of the GIL."""
    zlib.compress(_text())


def shrink() -> None:
    """Likewise, in Pillow."""
    _picture().resize((400, 300), resample=3, reducing_gap=None)


def backtrack() -> None:
    """C code that keeps the GIL: nothing in the same process can run meanwhile."""
    re.match(r"(a+)+$", "a" * 22 + "b")


@cache
def _text() -> bytes:
    return bytes(Random(7).choices(b"etaoin shrdlu", k=1 << 16)) * 32


@cache
def _picture():
    try:
        from PIL import Image
    except ImportError:
        raise Unavailable("Pillow is not installed") from None
    return Image.effect_noise((4000, 3000), 50)


CHORES: dict[str, Callable[[], None]] = {
    chore.__name__: chore
    for chore in (compute, compute_giving_way, compute_tracked, wait, deflate, shrink, backtrack)
}


def warm_up(chore: str) -> None:
    """Make what it needs before anybody measures."""
    {"deflate": _text, "shrink": _picture}.get(chore, lambda: None)()


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """So many of one chore at a time; as one ends the next begins, after `pause` seconds."""

    chore: str
    count: int
    pause: float = 0.001  # or else plain greenlets would begin 25 of them before the loop looks at its sockets


# 200 times a pause of 0.2 s: a thousand a second. Without it they would ask for more than the CPU that there is.
IO = Share(chore="wait", count=200, pause=0.17)

LOADS: dict[str, tuple[Share, ...]] = {
    "no tasks": (),
    "1 CPU task": (Share(chore="compute", count=1),),
    "4 CPU tasks": (Share(chore="compute", count=4),),
    "100 CPU tasks": (Share(chore="compute", count=100),),
    "200 I/O tasks": (IO,),
    "zlib": (Share(chore="deflate", count=1),),
    "Pillow": (Share(chore="shrink", count=1),),
    "a regex": (Share(chore="backtrack", count=1),),
    "a mix": (Share(chore="compute", count=2), Share(chore="deflate", count=1), IO),
}
