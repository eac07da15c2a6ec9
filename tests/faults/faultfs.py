# ruff: noqa: PTH101, PTH102, PTH104, PTH106, PTH108 - a file system speaks the language of system calls
"""A folder on a disk that does as it is told: fails, is slow, is full, and loses its power.

    with FaultFs(folder) as disk:
        store = SqliteStore(disk.path / "jobs.db")
        disk.fail("fsync", errno.EIO, match="-wal")
        disk.heal()
        disk.hold_back()  # from now on a write reaches the disk when it is synced, and not before
        disk.cut()        # what has not is lost, or some of it

It is a file system of FUSE's, in a process of its own: mfusepy, and the system's fuse3. Where that cannot be had, the
test is skipped, and says why.
"""

import errno
import json
import os
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import pytest

PATIENCE = 20


class FaultFs:
    """Mounts it at `folder`/disk; the files themselves are in `folder`/back."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "disk"
        self._back = folder / "back"
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self):
        for made in (self.path, self._back):
            made.mkdir(parents=True, exist_ok=True)
        self._mount()
        return self

    def __exit__(self, *error):
        self._unmount()

    def fail(self, call: str, number: int, *, match: str = "", after: int = 0, times: int | None = None) -> None:
        """Have `write`, `fsync`, `truncate`, `create`, or `any` of them, fail with this error number: on files in
        whose name `match` occurs, once `after` calls went well, and so many `times` (None: until it is healed)."""
        self._tell(fail=[call, number, match, after, times])

    def slow(self, seconds: float, *, match: str = "") -> None:
        """Have each sync take so long."""
        self._tell(slow=[seconds, match])

    def heal(self) -> None:
        """Have it work again."""
        self._tell(heal=True)

    def hold_back(self) -> None:
        self._tell(hold_back=True)

    def cut(self, *, kept: float = 0.0, seed: int = 0) -> int:
        """Cut the power, and bring it back: of what was not synced, this part is `kept`, chosen at random.

        Nobody may have a file open: the system forgets what it knew of a file when it is opened anew. Gives the
        number of bytes that were lost.
        """
        return self._tell(cut=[kept, seed])

    def counts(self) -> Counter[str]:
        """The calls since it was last healed."""
        return Counter(self._tell(counts=True))

    def _tell(self, **said):
        self._process.stdin.write(json.dumps(said) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def _mount(self) -> None:
        command = [sys.executable, "-m", "tests.faults.faultfs", str(self._back), str(self.path)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        self._process = subprocess.Popen(command, **pipes)
        ends = time.monotonic() + PATIENCE
        while not self.path.is_mount():
            if self._process.poll() is not None:
                said = self._process.stderr.read().strip().splitlines() or ["it ended at once"]
                self._close_pipes()
                pytest.skip(f"no file system of FUSE's can be mounted here: {said[-1]}")
            assert time.monotonic() < ends, "the file system was not mounted in time"
            time.sleep(0.01)

    def _unmount(self) -> None:
        if self._process.poll() is None:
            subprocess.run(["fusermount3", "-u", "-z", str(self.path)], check=False, capture_output=True)
            try:
                self._process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._close_pipes()

    def _close_pipes(self) -> None:
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            pipe.close()


@dataclass
class Fault:
    call: str
    number: int
    match: str
    after: int
    times: int | None

    def strikes(self, call: str, path: str) -> bool:
        if self.call not in (call, "any") or self.match not in path or self.times == 0:
            return False
        if self.after:
            self.after -= 1
            return False
        if self.times is not None:
            self.times -= 1
        return True


@dataclass
class Image:
    """A file as those see it who have it open, and what of it the disk has not been told to keep."""

    content: bytearray
    unsynced: list[tuple[int, bytes]] = field(default_factory=list)

    def write(self, data: bytes, offset: int) -> int:
        end = offset + len(data)
        if len(self.content) < end:
            self.content.extend(bytes(end - len(self.content)))
        self.content[offset:end] = data
        self.unsynced.append((offset, data))
        return len(data)


def mount(back: str, folder: str) -> None:  # noqa: C901  (one class of short methods)
    import mfusepy as fuse

    class Files(fuse.Operations):
        """Passes everything on to `back`, but for what it was told."""

        use_ns = True

        def __init__(self) -> None:
            self.mutex = threading.RLock()
            self.images: dict[str, Image] = {}
            self.faults: list[Fault] = []
            self.slowness = 0.0
            self.slow_match = ""
            self.holds_back = False
            self.calls: Counter[str] = Counter()

        def hear(self, said: dict) -> object:
            with self.mutex:
                match said:
                    case {"fail": fault}:
                        self.faults.append(Fault(*fault))
                    case {"slow": [seconds, match]}:
                        self.slowness, self.slow_match = seconds, match
                    case {"heal": _}:
                        self.faults, self.slowness = [], 0.0
                        self.calls.clear()
                    case {"hold_back": _}:
                        self.holds_back = True
                    case {"cut": [kept, seed]}:
                        return self.lose(kept, random.Random(seed))
                    case {"counts": _}:
                        return dict(self.calls)
            return None

        def lose(self, kept: float, chance: random.Random) -> int:
            lost = 0
            for path, image in self.images.items():
                with Path(back + path).open("r+b") as file:
                    for offset, data in image.unsynced:
                        if chance.random() < kept:
                            file.seek(offset)
                            file.write(data)
                        else:
                            lost += len(data)
            self.images.clear()
            self.holds_back = False
            return lost

        def called(self, call: str, path: str) -> None:
            with self.mutex:
                self.calls[call] += 1
                struck = next((fault for fault in self.faults if fault.strikes(call, path)), None)
            if struck is not None:
                raise fuse.FuseOSError(struck.number)
            if call == "fsync" and self.slowness and self.slow_match in path:
                time.sleep(self.slowness)

        def getattr(self, path, fh=None):
            found = os.lstat(back + path)
            keys = ("st_mode", "st_nlink", "st_size", "st_uid", "st_gid", "st_ino")
            told = {key: getattr(found, key) for key in keys}
            told |= {f"st_{kind}time": getattr(found, f"st_{kind}time_ns") for kind in "amc"}
            if path in self.images:
                told["st_size"] = len(self.images[path].content)
            return told

        def readdir(self, path, fh):
            return [".", "..", *(file.name for file in Path(back + path).iterdir())]

        def access(self, path, mode):
            return 0

        def open(self, path, flags):
            self.called("open", path)
            if flags & os.O_ACCMODE == os.O_WRONLY:
                flags = flags & ~os.O_ACCMODE | os.O_RDWR
            return os.open(back + path, flags & ~os.O_APPEND)

        def create(self, path, mode, fi=None):
            self.called("create", path)
            return os.open(back + path, os.O_RDWR | os.O_CREAT, mode)

        def read(self, path, size, offset, fh):
            with self.mutex:
                image = self.images.get(path)
                return bytes(image.content[offset : offset + size]) if image else os.pread(fh, size, offset)

        def write(self, path, data, offset, fh):
            self.called("write", path)
            with self.mutex:
                if self.holds_back and path not in self.images:
                    self.images[path] = Image(bytearray(Path(back + path).read_bytes()))
                if path in self.images:
                    return self.images[path].write(bytes(data), offset)
            return os.pwrite(fh, data, offset)

        def fsync(self, path, datasync, fh):
            self.called("fsync", path)
            self.sync(path)
            os.fsync(fh) if not self.holds_back else None
            return 0

        def sync(self, path):
            with self.mutex:
                image = self.images.get(path)
                if image is not None:
                    with Path(back + path).open("r+b") as file:
                        for offset, data in image.unsynced:
                            file.seek(offset)
                            file.write(data)
                    image.unsynced.clear()

        def truncate(self, path, length, fh=None):
            self.called("truncate", path)
            with self.mutex:
                self.sync(path)
                os.truncate(back + path, length)
                if path in self.images:
                    content = self.images[path].content
                    content[length:] = bytes(max(0, length - len(content)))

        def flush(self, path, fh):
            return 0

        def release(self, path, fh):
            os.close(fh)
            return 0

        def unlink(self, path):
            self.called("unlink", path)
            with self.mutex:
                self.images.pop(path, None)
            os.unlink(back + path)

        def rename(self, old, new):
            with self.mutex:
                self.sync(old)
                self.images.pop(old, None)
            os.rename(back + old, back + new)

        def mkdir(self, path, mode):
            self.called("create", path)
            os.mkdir(back + path, mode)

        def rmdir(self, path):
            os.rmdir(back + path)

        def chmod(self, path, mode):
            os.chmod(back + path, mode)

        def utimens(self, path, times=None):
            os.utime(back + path)

        def statfs(self, path):
            found = os.statvfs(back)
            keys = ("f_bavail", "f_bfree", "f_blocks", "f_bsize", "f_favail", "f_ffree", "f_files", "f_frsize")
            return {key: getattr(found, key) for key in keys}

    files = Files()

    def listen() -> None:
        for line in sys.stdin:
            sys.stdout.write(json.dumps(files.hear(json.loads(line))) + "\n")
            sys.stdout.flush()

    threading.Thread(target=listen, daemon=True).start()
    # Nothing is cached: what a power cut has taken must not be seen any more.
    fuse.FUSE(files, folder, foreground=True, nothreads=False, attr_timeout=0, entry_timeout=0, auto_cache=False)


if __name__ == "__main__":
    try:
        mount(sys.argv[1], sys.argv[2])
    except (ImportError, OSError, RuntimeError) as error:
        sys.exit(f"{type(error).__name__}: {error or os.strerror(errno.EIO)}")
