"""Old code and new code on one file: old_and_new FOLDER. The old process knows one of two tasks, and claims both."""

from gevent import monkey

monkey.patch_all()

import subprocess
import sys
import time

import gevent

from greenroom import Greenroom

PATIENCE = 90.0
JOBS = 20  # of each task


def nothing():
    return None


def room_of(folder, *names):
    room = Greenroom(f"sqlite:///{folder}/greenroom.db", lanes={"greenlet": 4})
    return room, [room.task(name=name)(nothing) for name in names]


def run(folder, *names):
    """A process that knows these tasks, until its input ends."""
    room, _ = room_of(folder, *names)
    room.start()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    gevent.get_hub().threadpool.apply(sys.stdin.read)
    room.stop(0)


def deploy(folder):
    command = [sys.executable, "-m", "tests.faults.old_and_new", folder]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    running = [subprocess.Popen([*command, "known"], **pipes)]
    assert running[0].stdout.readline() == "ready\n"
    room, tasks = room_of(folder, "known", "new")
    results = [task.enqueue() for _ in range(JOBS) for task in tasks]
    while not all(room.get_result(result.id).is_finished for result in results[::2]):  # by then it met the others
        gevent.sleep(0.05)
    parked = sum(room.get_result(result.id).is_parked for result in results)
    running.append(subprocess.Popen([*command, "known", "new"], **pipes))
    begun = time.monotonic()
    for result in results:
        result.wait(PATIENCE)
    took = time.monotonic() - begun
    room.stop(0)
    for process in running:
        process.stdin.close()
        process.wait(PATIENCE)
    sys.stdout.write(f"{parked} jobs were parked by old code; all had run {took:.1f} s after the new code began\n")


if __name__ == "__main__":
    if sys.argv[2:]:
        run(*sys.argv[1:])
    else:
        deploy(sys.argv[1])
