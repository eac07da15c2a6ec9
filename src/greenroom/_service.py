"""A service: a loop in a greenlet that does a turn of work and says how long it can wait for the next.

Waiting, waking, stopping and trouble are dealt with here, once. `start` and `stop` may come twice, or in the
wrong order.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from gevent import Greenlet, get_hub, spawn
from gevent.event import Event

log = logging.getLogger("greenroom")

_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 5.0  # also how long it takes at most until it is noticed that the trouble is over


class Service:
    """Calls `turn` again and again; it returns the seconds it can wait, unless woken, or None for ever."""

    def __init__(self, name: str, turn: Callable[[], float | None]) -> None:
        self.name = name
        self.trouble: str | None = None
        self._turn = turn
        self._bell = Event()
        self._end = Event()
        self._greenlet: Greenlet | None = None
        self._stopping = False

    def start(self) -> None:
        if self._greenlet is None:
            self._end.clear()
            self._greenlet = spawn(self._run)

    def stop(self) -> None:
        """Let the turn that is under way end, and begin no other. Waits for it."""
        greenlet, self._greenlet = self._greenlet, None
        if greenlet is not None:
            self._end.set()
            self._bell.set()
            greenlet.join()

    def forsake(self) -> None:
        """This is a forked child: begin no other turn here."""
        self._greenlet = None
        self._end.set()
        self._bell.set()

    def wake(self) -> None:
        """Have the next turn come now. In the hub's thread only."""
        self._bell.set()

    def _run(self) -> None:
        pause = _FIRST_PAUSE
        while not self._end.is_set():
            self._bell.clear()
            try:
                wait = self._turn()
            except Exception as error:
                # The one place where a turn's trouble ends: it must never take the web server down.
                self._note(error)
                self._end.wait(pause)  # not the bell: what is rung for in vain must not make a hot loop
                pause = min(pause * 2, _LONGEST_PAUSE)
            else:
                self.trouble, pause = None, _FIRST_PAUSE
                get_hub().loop.update_now()  # else the timer is late by the age of the loop's clock
                self._bell.wait(wait)

    def _note(self, error: Exception) -> None:
        if self.trouble is None:
            log.error("%s: trouble, and will be tried again", self.name, exc_info=error)
        self.trouble = f"{type(error).__name__}: {error}"
