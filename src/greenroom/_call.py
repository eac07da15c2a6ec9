"""A call: any callable, run in a lane, with a result to wait on. Volatile: nothing is stored."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from contextvars import Context
from typing import Any, Generic, TypeVar

from gevent.event import Event

from greenroom import _check, _interrupt
from greenroom._native import allocate_lock
from greenroom.errors import NotRunning, NotSuccessful, WaitTimeout
from greenroom.lanes import Carry

T = TypeVar("T")
log = logging.getLogger("greenroom")

_one_at_a_time = allocate_lock()  # of those who begin to wait, in whatever thread


class Call(Generic[T]):
    """What `room.spawn` gives back."""

    __slots__ = ("_arguments", "_context", "_error", "_function", "_keywords", "_value", "_waiting", "is_finished")

    _value: T
    is_finished: bool

    def __init__(
        self,
        context: Context,
        function: Callable[..., T],
        arguments: tuple[Any, ...],
        keywords: Mapping[str, Any],
    ) -> None:
        self._context: Context | None = context
        self._function: Callable[..., T] = function
        self._arguments = arguments
        self._keywords = keywords or None
        self._error: BaseException | None = None
        self._waiting: list[Event] | None = None  # made when somebody waits
        self.is_finished = False

    @property
    def exception(self) -> BaseException | None:
        """What it raised; None if it returned, or has not finished."""
        return self._error

    @property
    def return_value(self) -> T:
        """What it returned. Raises NotSuccessful, from what the call raised, if there is nothing."""
        if not self.is_finished:
            raise NotSuccessful(f"{self!r} has not finished: there is no return value yet. Use get().")
        if self._error is not None:
            raise NotSuccessful(f"{self!r} raised {self._error!r}.") from self._error
        return self._value

    def wait(self, timeout: float | None = None) -> bool:
        """Wait up to `timeout` seconds (None: for ever); say whether it has finished."""
        _check.patience("timeout", timeout)
        event = Event()  # of his own: one event cannot be waited for in two threads
        with _one_at_a_time:
            waiting = self._waiting = [] if self._waiting is None else self._waiting
        waiting.append(event)
        try:
            if not self.is_finished:  # looked at again: it may have finished meanwhile, in its own thread
                event.wait(timeout)
            return self.is_finished
        finally:
            waiting.remove(event)

    def get(self, timeout: float | None = None) -> T:
        """Wait, then return what it returned or raise what it raised. Raises WaitTimeout."""
        if not self.wait(timeout):
            raise WaitTimeout(f"{self!r} did not finish within {timeout} s: it goes on.")
        if self._error is not None:
            raise self._error
        return self._value

    def run(self, carry: Carry | None) -> None:  # whatever the lane, it is called in this greenlet
        context, self._context = self._context, None
        try:
            if self._keywords is None:
                self._value = context.run(self._function, *self._arguments)  # type: ignore[union-attr]
            else:
                self._value = context.run(self._function, *self._arguments, **self._keywords)  # type: ignore[union-attr]
        except BaseException as error:  # noqa: BLE001  (SystemExit in a bare greenlet ends the web server)
            self._error = error
            if _interrupt.has_come(error):
                _interrupt.pass_on(error)

    def finish(self) -> None:
        self.is_finished = True
        self._arguments, self._keywords = (), None
        if self._waiting:
            for event in list(self._waiting):
                event.set()
        elif self._error is not None:
            log.error("%r raised, and nobody waits for it", self, exc_info=self._error)

    def abandon(self) -> None:
        """Never to be run: whoever waits is told."""
        self._error = NotRunning(f"{self!r} was still waiting when the room stopped, and was given up.")
        self.finish()

    @property
    def name(self) -> str:
        """Of its function."""
        return getattr(self._function, "__qualname__", None) or repr(self._function)

    def __repr__(self) -> str:
        return f"<Call {self.name}>"
