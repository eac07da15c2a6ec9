"""Start, run one job with MiniHuey, say when it was done."""

from gevent import monkey

monkey.patch_all()

import sys

sys.modules.update(redis=None, psycopg=None)  # not wanted here, and huey imports what it finds

import time

from huey.contrib.mini import MiniHuey

huey = MiniHuey()


@huey.task()
def noop():
    return None


huey.start()
noop().get(timeout=30)
print(time.monotonic(), flush=True)
