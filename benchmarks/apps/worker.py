"""A worker process: the same chores beside the web process, not in it: `python -m benchmarks.apps.worker LOAD`."""

from gevent import monkey

monkey.patch_all()

import sys

import gevent

from benchmarks.apps.beside import by_spawn
from benchmarks.apps.keeper import keep


def main(load: str) -> None:
    keep(load, by_spawn())
    print("ready", flush=True)
    while True:
        gevent.sleep(60)


if __name__ == "__main__":
    main(*sys.argv[1:])
