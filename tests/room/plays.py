"""Puts on `play.py` as a process, and reads the marks that it leaves."""

import signal
import subprocess
import sys
from pathlib import Path

import gevent
from acts import PATIENCE, until


class Play:
    """One performance, in its folder."""

    def __init__(self, folder, act):
        self._marks = folder / "marks"
        self._skip = len(self.marks)
        command = [sys.executable, str(Path(__file__).with_name("play.py")), str(folder), act]
        self._process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)

    @property
    def marks(self):
        return self._marks.read_text().splitlines() if self._marks.exists() else []

    def reach(self, *marks):
        """Until it has left these marks, in whatever order; gives all that it left."""
        until(lambda: not {*marks} - {*self.marks[self._skip :]} or self._process.poll() is not None)
        mine = self.marks[self._skip :]
        assert not {*marks} - {*mine}, self._process.communicate()[1]
        return mine

    def tell(self, number):
        self._process.send_signal(number)

    def end(self):
        """Its exit status and what it said, once it has ended."""
        with gevent.Timeout(PATIENCE):
            said = self._process.communicate()[1]
        return self._process.returncode, said

    def close(self):
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGKILL)
        self._process.communicate()
