"""A deploy: on SIGHUP a successor is started, and when it serves, this process drains.

Whatever goes wrong with the successor, this process goes on as if nothing had been: a broken deploy takes nothing
down.
"""

from __future__ import annotations

import logging
import os

from gevent import spawn

from greenroom.server._listener import Listener
from greenroom.server._origin import Origin
from greenroom.server._stop import Stop
from greenroom.server._successor import Successor
from greenroom.server._supervisor import Supervisor

log = logging.getLogger("greenroom.server")


class Deploy:
    """Waits for SIGHUP, for as long as `stop` was not asked. `patience` is how many seconds a successor has."""

    def __init__(
        self, origin: Origin, listener: Listener, store: str, stop: Stop, supervisor: Supervisor, *, patience: float
    ) -> None:
        self.is_handed_over = False
        self._origin = origin
        self._listener = listener
        self._store = store
        self._stop = stop
        self._supervisor = supervisor
        self._patience = patience
        self._successor: Successor | None = None
        self._greenlet = spawn(self._wait)

    def is_stopping(self) -> bool:
        """Whether this process ends, and with it what is served here."""
        return self._stop.asked.is_set() and not self.is_handed_over

    def close(self) -> None:
        """This process is to end: a successor that does not serve yet is not wanted any more."""
        self._greenlet.kill()
        if not self.is_handed_over:
            self._supervisor.is_stopping()
            if self._successor is not None:
                self._successor.kill()

    def _wait(self) -> None:
        while not self.is_handed_over:
            self._stop.renewal.wait()
            self._stop.renewal.clear()
            if os.getpid() == 1:
                log.error(
                    "SIGHUP: no successor is started, for this is process 1, with which the container ends. Start "
                    "another container, and stop this one: SIGTERM drains it."
                )
            else:
                self._renew()

    def _renew(self) -> None:
        self._supervisor.is_reloading()
        try:
            successor = self._successor = Successor(self._origin, self._listener, self._store)
        except OSError as error:
            log.error("SIGHUP: no successor could be started, and this process goes on: %s", error)  # noqa: TRY400
            self._supervisor.is_kept()
            return
        log.info("SIGHUP: process %s is started to take over", successor.pid)
        if successor.serves_within(self._patience):
            self._hand_over(successor)
        else:
            how = successor.end()
            self._successor = None
            log.error("SIGHUP: process %s %s. This process goes on; the reason stands above.", successor.pid, how)
            self._supervisor.is_kept()

    def _hand_over(self, successor: Successor) -> None:
        self.is_handed_over = True  # and the line to the successor stays open until this process ends
        self._listener.owns_file = False
        self._supervisor.is_succeeded(successor.pid)
        self._stop.begin(f"process {successor.pid} has taken over")
