"""Start, run one durable job, say when it was done."""

from gevent import monkey

monkey.patch_all()

import os
import time

from greenroom import Greenroom

room = Greenroom(os.environ["BENCHMARK_STORE"])


@room.task()
def noop():
    return None


room.start()
noop.enqueue().wait(timeout=30)
print(time.monotonic(), flush=True)
room.stop()
