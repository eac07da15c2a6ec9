"""The thread primitives as they are: after patching, `threading` and `_thread` hand out gevent's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gevent.monkey import get_original

start_new_thread: Callable[..., int] = get_original("_thread", "start_new_thread")
allocate_lock: Callable[[], Any] = get_original("_thread", "allocate_lock")
get_ident: Callable[[], int] = get_original("_thread", "get_ident")
get_native_id: Callable[[], int] = get_original("_thread", "get_native_id")  # as the kernel numbers threads
RLock: Callable[[], Any] = get_original("_thread", "RLock")
