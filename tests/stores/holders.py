"""What makes the SQLite store wait: another process, or a native thread, that has it locked."""

import fcntl
import os
import select
import sqlite3
import subprocess
import sys
from pathlib import Path

PATIENCE = 4  # seconds: less than SQLite waits for a lock, and far more than a hundred heartbeats take


def hold_write_lock(path, until_told):
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    until_told()
    connection.execute("ROLLBACK")
    connection.close()


def hold_file_lock(path, until_told):
    with Path(f"{path}.lock").open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        until_told()


HOLDS = {"write lock": hold_write_lock, "file lock": hold_file_lock}


class ProcessThatHolds:
    def __init__(self, what, path):
        self._command = [sys.executable, __file__, what, str(path)]

    def __enter__(self):
        # Pipes as the system makes them: patched ones cannot be written to in the event loop.
        told, self._tell = os.pipe()
        self._hear, said = os.pipe()
        self._process = subprocess.Popen(self._command, stdin=told, stdout=said)
        os.close(told)
        os.close(said)
        assert os.read(self._hear, 5) == b"held\n"
        os.set_blocking(self._hear, False)
        self._is_told = False
        return self

    def let_go(self):
        if not self._is_told:
            self._is_told = True
            os.write(self._tell, b"let go\n")

    def is_held(self):
        return not self._is_told and not self._says_more()

    def _says_more(self):
        try:
            os.read(self._hear, 1)
        except BlockingIOError:
            return False
        return True

    def __exit__(self, *error):
        self.let_go()
        os.close(self._tell)
        os.close(self._hear)
        assert self._process.wait(10) == 0


class ThreadThatHolds:
    def __init__(self, what, path):
        self._what = what
        self._path = path

    def __enter__(self):
        from greenroom._native import allocate_lock, start_new_thread

        self._held, self._told, self._ended = (allocate_lock() for _ in range(3))
        for lock in (self._held, self._told, self._ended):
            lock.acquire()
        self._is_held = True
        start_new_thread(self._hold, ())
        self._held.acquire()
        return self

    def let_go(self):
        if self._is_held:
            self._is_held = False
            self._told.release()

    def is_held(self):
        return self._is_held

    def __exit__(self, *error):
        self.let_go()
        self._ended.acquire()

    def _hold(self):
        HOLDS[self._what](self._path, self._wait)
        self._ended.release()

    def _wait(self):
        self._held.release()
        if not self._told.acquire(timeout=PATIENCE):
            self._is_held = False


def _wait_for_parent():
    os.write(1, b"held\n")
    told, _, _ = select.select([sys.stdin], [], [], PATIENCE)
    if not told:
        os.write(1, b"lets go by itself\n")


if __name__ == "__main__":
    HOLDS[sys.argv[1]](sys.argv[2], _wait_for_parent)
