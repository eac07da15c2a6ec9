"""A `greenroom serve` process under test, in a folder of its own that holds copies of the apps beside this file."""

import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

PATIENCE = 15.0  # seconds, for what takes a fraction of one on a machine that is not busy


def until(happens, what, seconds=PATIENCE):
    """What `happens()` returns, once that is true."""
    ends = time.monotonic() + seconds
    while not (found := happens()):
        assert time.monotonic() < ends, f"{what}: not within {seconds:g} s"
        time.sleep(0.01)
    return found


class Served:
    def __init__(self, folder, *options, app="stage:app", bind="127.0.0.1:0", program=("greenroom", "serve")):
        self.furnish(folder)
        self.folder = folder
        self._stderr = folder / f"stderr-{len(list(folder.glob('stderr-*')))}"
        command = [sys.executable, "-m", *program, app, "--bind", bind, *options]
        with self._stderr.open("wb") as stderr:
            self.process = subprocess.Popen(command, cwd=folder, stdout=stderr, stderr=stderr)
        self.start_line = self.said("greenroom: serving " if "greenroom" in program else "Listening at: ")
        self.port = int((re.search(r":(\d+) \(", self.start_line) or [0, 0])[1])

    @staticmethod
    def furnish(folder):
        """Put the apps there."""
        for source in Path(__file__).parent.glob("*.py"):
            shutil.copy(source, folder)

    @property
    def stderr(self):
        return self._stderr.read_bytes().decode()

    def said(self, text):
        """The line of stderr with this text in it, once it is there."""

        def look():
            assert self.process.poll() is None or text in self.stderr, self.stderr
            return next((line for line in self.stderr.splitlines() if text in line), None)

        return until(look, f"{text!r} in {self.stderr}")

    def marked(self, text):
        """Wait until the site has made this mark."""
        marks = self.folder / "marks"
        until(lambda: marks.exists() and text in marks.read_text(), f"mark {text!r}")

    def connect(self):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)

    def get(self, path, **headers):
        """The response to one request, and its body, on a connection of its own."""
        return self.ask("GET", path, **headers)

    def ask(self, method, path, **headers):
        connection = self.connect()
        try:
            connection.request(
                method, path, headers={name.replace("_", "-"): value for name, value in headers.items()}
            )
            response = connection.getresponse()
            return response, response.read().decode()
        finally:
            connection.close()

    def enqueue(self, task, seconds, after=0):
        return self.get(f"/enqueue?task={task}&seconds={seconds}&after={after}")[1]

    def job(self, result_id):
        return json.loads(self.get(f"/job?result_id={result_id}")[1])

    def told(self, number=signal.SIGTERM):
        self.process.send_signal(number)

    def ended(self, seconds=PATIENCE):
        """The exit code, once it has ended by itself."""
        return self.process.wait(seconds)

    def end(self):
        """For fixtures: whatever happened, it is gone after this."""
        if self.process.poll() is None:
            os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait()
