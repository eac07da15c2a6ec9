"""Runs the tests on several Pythons at once: python tests/each_python.py "PYTEST ARGUMENTS" PYTHON ...

The first takes all the steps of the stores' state machine, the others fewer. What each of them said comes when it has
ended, whole; the exit status is that of the first that failed.
"""

import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

STEPS_OF_THE_OTHERS = "5000"


def main(arguments, pythons):
    with tempfile.TemporaryDirectory() as folder:
        runs = []
        for number, python in enumerate(pythons):
            env = os.environ | ({"GREENROOM_STEPS": STEPS_OF_THE_OTHERS} if number else {})
            log = Path(folder, str(number))
            with log.open("wb") as out:
                command = [python, "-m", "pytest", *shlex.split(arguments)]
                runs.append((command, log, subprocess.Popen(command, stdout=out, stderr=out, env=env)))
        statuses = []
        for command, log, process in runs:
            statuses.append(process.wait())
            sys.stdout.write(f"{shlex.join(command)}\n{log.read_text('utf-8', 'replace')}\n")
            sys.stdout.flush()
    return next(filter(None, statuses), 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
