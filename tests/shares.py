"""Runs the tests in shares, some at a time: python tests/shares.py "PYTEST ARGUMENTS" PYTHON ...

The first Python runs all of them. The others run what a Python may make a difference to: all that is quick and needs
no other processes, and what is marked `each_python`. With arguments, each Python runs just what they ask for.

What a share said comes when it has ended, whole; the exit status is 1 if one of them failed.
"""

import os
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path

AT_A_TIME = (os.cpu_count() or 1) + 2  # the tests wait for processes nearly as much as they compute
# The soak is minutes of light work: beside all the others.
FOLDERS = (
    ["tests/faults/test_soak.py"],
    ["tests/faults", "--ignore=tests/faults/test_soak.py"],
    ["tests/guard", "tests/torture", "tests/bench"],
    ["tests/stores", "tests/lanes"],
)
QUICK = ["-m", "(not slow and not integration) or each_python"]
STEPS_OF_THE_OTHERS = "2000"  # of the stores' state machine
NO_TESTS = 5  # pytest's exit status if nothing was left to run


class Share:
    """Some of the tests, on one Python."""

    def __init__(self, python, arguments, **env):
        self.command = [python, "-m", "pytest", *arguments]
        self._env = os.environ | env

    def start(self, folder):
        self._began = time.monotonic()
        with tempfile.NamedTemporaryFile(dir=folder, delete=False) as log:
            self._log = Path(log.name)
            self._process = subprocess.Popen(self.command, stdout=log, stderr=log, env=self._env)

    def has_ended(self):
        return self._process.poll() is not None

    def tell(self):
        """Print what it said, and how long it took."""
        said = self._log.read_text("utf-8", "replace")
        seconds = time.monotonic() - self._began
        sys.stdout.write(f"{shlex.join(self.command)}\n{said}\n{self.command[0]}: {seconds:.0f} s\n\n")
        sys.stdout.flush()

    @property
    def status(self):
        return self._process.returncode


def shares_of(arguments, pythons):
    """Those that take longest come first."""
    first, *others = pythons
    if arguments:
        return [Share(python, arguments) for python in pythons]
    apart = {path for share in FOLDERS for path in share if path.startswith("tests")}
    rest = ["tests", *(f"--ignore={path}" for path in sorted(apart))]
    return [
        *(Share(first, folders) for folders in FOLDERS),
        Share(first, rest),
        *(Share(python, QUICK, GREENROOM_STEPS=STEPS_OF_THE_OTHERS) for python in others),
    ]


def main(arguments, pythons):
    waiting = shares_of(shlex.split(arguments), pythons)
    running, ended = [], []
    with tempfile.TemporaryDirectory() as folder:
        while waiting or running:
            while waiting and len(running) < AT_A_TIME:
                running.append(waiting.pop(0))
                running[-1].start(folder)
            time.sleep(0.2)
            for share in [share for share in running if share.has_ended()]:
                running.remove(share)
                ended.append(share)
                share.tell()
    failed = [share for share in ended if share.status not in (0, NO_TESTS)]
    for share in failed:
        sys.stdout.write(f"failed: {shlex.join(share.command)}\n")
    return 1 if failed or all(share.status == NO_TESTS for share in ended) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
