"""A spawned process: a fresh interpreter with the path of this one, and word of its end.

Never forked: a forked child would go on with copies of all the greenlets of its parent. `posix_spawn` and not
`subprocess`: under gevent that forks, runs Python in the copy, and costs the more the bigger the site is.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from gevent import get_hub, monkey
from gevent.event import Event
from gevent.monkey import get_original

from greenroom.errors import NotRunning

FD = 3  # the child's end of the pair

_CODE = "import sys; sys.path[:] = {path!r}; from greenroom._child import main; main({fd})"
_OPEN_FDS = "/proc/self/fd" if sys.platform == "linux" else "/dev/fd"
_PAGE = os.sysconf("SC_PAGE_SIZE")


class Spawned:
    """A process in a session of its own, which a Ctrl-C in the terminal does not reach.

    `exited` is told when it has ended, in the hub; from then on `status` is how: an exit code, a negative signal
    number, or None if somebody else has reaped it.
    """

    def __init__(self, their_end: int, exited: Callable[[], object]) -> None:
        self.status: int | None = None
        self.is_over = False
        self.over = Event()
        self._exited = exited
        self._pidfd: int | None = None
        self._watcher: Any = None
        self.pid = _spawn(their_end)
        self._watch()

    def kill(self, number: int = signal.SIGKILL) -> None:
        if not self.is_over:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def forsake(self) -> None:
        """This is a forked child, of which it is no child."""
        if not self.is_over:
            self._watcher.stop()

    def memory(self) -> int:
        """The bytes it holds in memory; 0 where the system does not say."""
        try:
            return int(Path(f"/proc/{self.pid}/statm").read_bytes().split()[1]) * _PAGE
        except (OSError, IndexError):
            return 0

    def _watch(self) -> None:
        loop = get_hub().loop
        # Once subprocess is patched, libev reaps every child of this process, ours too, and alone knows how it
        # ended. Where it is not, libev must be kept from it: it would take the children of others from them.
        if (monkey.is_module_patched("subprocess") and loop.default) or not hasattr(os, "pidfd_open"):
            self._watcher = loop.child(self.pid, ref=False)
            self._watcher.start(self._note_reaped)
        else:
            self._pidfd = os.pidfd_open(self.pid)
            self._watcher = loop.io(self._pidfd, 1, ref=False)
            self._watcher.start(self._reap)

    def _note_reaped(self) -> None:
        self._end(os.waitstatus_to_exitcode(self._watcher.rstatus))

    def _reap(self) -> None:
        try:
            pid, status = get_original("os", "waitpid")(self.pid, os.WNOHANG)
        except ChildProcessError:
            self._end(None)
        else:
            if pid:
                self._end(os.waitstatus_to_exitcode(status))

    def _end(self, status: int | None) -> None:
        self._watcher.stop()
        self._watcher.close()
        if self._pidfd is not None:
            os.close(self._pidfd)
        self.status = status
        self.is_over = True
        self.over.set()
        self._exited()


def _spawn(their_end: int) -> int:
    import subprocess  # not before the app is patched: it would hold on to what is replaced

    flags = subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined]  # noqa: SLF001  (as multiprocessing)
    actions: list[tuple[Any, ...]] = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        *((os.POSIX_SPAWN_CLOSE, fd) for fd in _inheritable()),
        (os.POSIX_SPAWN_DUP2, their_end, FD),
    ]
    python = _python()
    return os.posix_spawn(
        python,
        [python, *flags, "-c", _CODE.format(path=sys.path, fd=FD)],
        os.environ,
        file_actions=actions,
        setsid=True,
        setsigmask=(),
        setsigdef=(signal.SIGINT, signal.SIGTERM, signal.SIGURG),
    )


def _python() -> str:
    """The interpreter; under a server that embeds Python, sys.executable is that server."""
    beside = Path(sys.exec_prefix, "bin", f"python{sys.version_info.major}.{sys.version_info.minor}")
    if "python" in Path(sys.executable or "").name:
        return sys.executable
    if beside.exists():
        return str(beside)
    raise NotRunning(
        f"lane 'process' finds no Python to start: sys.executable is {sys.executable!r}, and there is no {beside}. "
        "Install it there, or use another lane."
    )


def _inheritable() -> Iterator[int]:
    """What a new process would get of our open files, beyond the standard ones: such as a server's socket."""
    for fd in map(int, os.listdir(_OPEN_FDS)):  # noqa: PTH208  (names alone)
        with suppress(OSError):  # that of the listing itself
            if fd > 2 and os.get_inheritable(fd):  # noqa: PLR2004  (stderr)
                yield fd
