"""A torture with a bug planted in the guard, of those pieces that show it: planted.py FOLDER BUG PIECES..."""

from gevent import monkey

monkey.patch_all()

import faulthandler
import sys
from pathlib import Path

import tortures
from pieces import PIECES

from greenroom import _guard, _piece

SEED = 1
PREEMPTIONS = 1000
LONGEST = 30.0  # seconds: some of the bugs stop everything for good


def sound():
    """None is planted."""


def within_asyncio():
    _piece._NOT_WITHIN -= {"asyncio"}


def within_c_code():
    _guard.is_at_check = lambda _frame: True


if __name__ == "__main__":
    folder, bug, *names = sys.argv[1:]
    faulthandler.dump_traceback_later(LONGEST, exit=True)
    globals()[bug]()
    torture = tortures.Torture(Path(folder), SEED, {name: PIECES[name] for name in names}).run(PREEMPTIONS)
    sys.exit("\n".join([str(torture), *torture.differences]) if torture.differences else 0)
