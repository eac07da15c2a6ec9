"""The thread primitives as they are: after patching, `threading`, `_thread` and `time` hand out gevent's."""

from __future__ import annotations

import os
import signal
import socket as _socket
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from gevent.monkey import get_original

start_new_thread: Callable[..., int] = get_original("_thread", "start_new_thread")
allocate_lock: Callable[[], Any] = get_original("_thread", "allocate_lock")
get_ident: Callable[[], int] = get_original("_thread", "get_ident")
get_native_id: Callable[[], int] = get_original("_thread", "get_native_id")  # as the kernel numbers threads
RLock: Callable[[], Any] = get_original("_thread", "RLock")
socket: type[_socket.socket] = get_original("socket", "socket")
sleep: Callable[[float], None] = get_original("time", "sleep")

_LAST = 19  # the lowest priority there is

# What timers send to the process is for the main thread, whose greenlets they interrupt.
_NOT_FOR_THREADS = (signal.SIGALRM, signal.SIGURG, signal.SIGPROF)


def be_idle() -> None:
    """Let this native thread run when no other has work to do, where the system knows threads apart."""
    if sys.platform == "linux":
        with suppress(OSError):  # as in a sandbox that forbids it
            os.setpriority(os.PRIO_PROCESS, get_native_id(), _LAST)


def start_thread(work: Callable[[], None]) -> None:
    """Do `work` in a native thread, which the signals of timers do not reach."""

    def begin() -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, _NOT_FOR_THREADS)
        work()

    start_new_thread(begin, ())
