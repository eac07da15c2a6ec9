"""A keeper: sees to it that a load goes on for as long as it is measured."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable
from os import _exit
from time import sleep

import gevent

from benchmarks.chores import LOADS, Share
from benchmarks.side import Unavailable

LACKING = 69  # the exit code of a program that has not what it needs; it has said so on its last line

Do = Callable[[str], object]  # do that chore, and return when it is done


def keep(load: str, do: Do) -> None:
    for share in LOADS[load]:
        for _ in range(share.count):
            gevent.spawn(_go_on, share, do)


def lacking(lack: object) -> None:
    """End this program, whose contender cannot be measured here."""
    print(lack, file=sys.stderr, flush=True)
    _exit(LACKING)


def _go_on(share: Share, do: Do) -> None:
    try:
        while True:
            do(share.chore)
            sleep(share.pause)
    except Unavailable as lack:
        lacking(lack)
    except BaseException:  # noqa: BLE001 - a load that has ended by itself would flatter whoever let it end
        traceback.print_exc()
        _exit(1)
