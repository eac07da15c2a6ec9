"""A successor: the process that is to take over, and the predecessor, as that one sees it.

    old ── starts the same command line, with the listening socket and one end of a pair ──> new
    old <────────────────────────────── "serving", once it accepts connections ───────────── new
    old drains, and ends; the socket was open all the while

The socket is handed over and not bound anew: of requests that come meanwhile none is refused, for they wait in the
one backlog. (With SO_REUSEPORT each process has a backlog of its own, and what waits there is lost with it.)
"""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from typing import Any, Self

from gevent import Timeout, get_hub, socket
from gevent.event import Event

from greenroom.server._listener import Listener
from greenroom.server._origin import Origin
from greenroom.server._refusal import FAILED, Refusal

# The two open files, who hands them over, whether a socket's file goes along, and the store: separated by spaces.
VARIABLE = "GREENROOM_TAKES_OVER"
_SERVING = b"serving"
_LEAVE = 2.0  # seconds
_SHELL = "/bin/sh"
# The shell becomes the program: posix_spawn itself cannot begin in another folder.
_SCRIPT = 'cd -- "$0" && exec "$@"'


class Successor:
    """A process that was started to take over this one's `listener`, and its `store`. Raises OSError."""

    def __init__(self, origin: Origin, listener: Listener, store: str) -> None:
        self._ours, theirs = socket.socketpair()  # ours stays open for as long as this process lives
        try:
            self.pid = _spawn(origin, listener, theirs, store)
        except OSError:
            self._ours.close()
            raise
        finally:
            theirs.close()
        self._status = 0
        self._ended = Event()
        self._watcher = get_hub().loop.child(self.pid, ref=False)
        self._watcher.start(self._note_end)

    def serves_within(self, seconds: float) -> bool:
        """Whether it has said so in that time."""
        with Timeout(seconds, False), suppress(OSError):
            return bytes(self._ours.recv(len(_SERVING))) == _SERVING
        return False

    def end(self) -> str:
        """See that it is gone, for it is not to take over; say how it ended."""
        if self._ended.wait(_LEAVE):  # it may have hung up because it is about to end by itself
            how = f"ended with exit code {self._status}" if self._status >= 0 else f"died of signal {-self._status}"
        else:
            how = "did not serve in time, and was killed"
            self.kill()
            self._ended.wait(_LEAVE)
        self._ours.close()
        return how

    def kill(self) -> None:
        """End it at once."""
        if not self._ended.is_set():
            os.kill(self.pid, signal.SIGKILL)

    def _note_end(self) -> None:
        self._status = os.waitstatus_to_exitcode(self._watcher.rstatus)
        self._watcher.stop()
        self._watcher.close()
        self._ended.set()


class Predecessor:
    """The process that has started this one to take over from it: its listening socket, its store, a line to it."""

    def __init__(self, listener: int, line: int, pid: int, owns_file: int, store: str) -> None:
        self.pid = pid
        self.listener = listener
        self.store = store
        self._owns_file = bool(owns_file)
        os.set_inheritable(line, False)
        self._line = socket.socket(fileno=line)

    @classmethod
    def here(cls) -> Self | None:
        """That of this process, if it has one. What it says of itself is for this process alone."""
        said = os.environ.pop(VARIABLE, None)
        if said is None:
            return None
        listener, line, pid, owns_file, store = said.split(" ", 4)
        return cls(int(listener), int(line), int(pid), int(owns_file), store)

    def must_share(self, store: str) -> None:
        """Raise Refusal if its jobs are elsewhere than this process's: nobody would run them any more."""
        if store != self.store:
            raise Refusal(
                f"the jobs of this code are in {store}, and those of process {self.pid}, which it is to take over "
                f"from, in {self.store}: nobody would run these any more. Name one place outside of the releases, "
                "such as Greenroom('sqlite:////srv/app/shared/greenroom.db'). If they are to be left behind, stop "
                "the one and start the other.",
                exit_code=FAILED,
            )

    def give_way(self, listener: Listener) -> None:
        """Connections are accepted here from now on, so let it drain."""
        listener.owns_file = self._owns_file
        with suppress(OSError):  # it is gone already
            self._line.sendall(_SERVING)


def _spawn(origin: Origin, listener: Listener, line: socket.socket, store: str) -> int:
    files = (listener.socket.fileno(), line.fileno())
    keep: list[Any] = [(os.POSIX_SPAWN_DUP2, number, number) for number in files]  # onto itself: then exec keeps it
    given = " ".join(map(str, (*files, os.getpid(), int(listener.owns_file), store)))
    return os.posix_spawn(
        _SHELL,
        [_SHELL, "-c", _SCRIPT, origin.folder, *origin.command],
        {**origin.environ, VARIABLE: given},
        file_actions=keep,
        setsigmask=(),
        setsigdef=(signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGURG),
    )
