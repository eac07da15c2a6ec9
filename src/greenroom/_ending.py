"""Ending a greenlet that is to end: it is told twice, and then given up.

What is thrown is raised where the greenlet waits, or was put aside while it computed. Code that swallows it once is
told again after a grace. Code that swallows that too, or waits in C where nothing reaches it, is given up.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

GRACE = 1.0  # seconds
_TIMES = 2
LONGEST = GRACE * _TIMES  # until it is given up


class Ending:
    """Throws what `make_error` makes into the greenlet in `seconds`; calls `give_up` if that is of no use."""

    def __init__(
        self,
        greenlet: Any,
        seconds: float,
        make_error: Callable[[], BaseException],
        give_up: Callable[[], object],
    ) -> None:
        self._greenlet = greenlet
        self._make_error = make_error
        self._give_up = give_up
        self._told = 0
        loop = greenlet.parent.loop  # the parent of a lane's greenlet is its hub
        loop.update_now()  # else it is early by the age of the loop's clock
        self._timer = loop.timer(seconds, GRACE)
        self._timer.start(self.tell)

    @property
    def has_begun(self) -> bool:
        """Whether it was told before."""
        return self._told > 0

    def close(self) -> None:
        """It has ended."""
        self._timer.stop()
        self._timer.close()

    def tell(self) -> None:
        """Throw now. Called in the hub."""
        # In the hub, so that what is thrown at still runs the piece of work that is to end.
        self._told += 1
        if self._told > _TIMES:
            self.close()
            self._give_up()
        else:
            self._greenlet.throw(self._make_error())
