"""Log records of a child, which its parent's loggers handle: what the app has set up is at work there, once."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Iterator
from typing import Any

from greenroom.lanes._messages import Levels

_PLAIN = (str, int, float, bool, type(None))


def levels() -> Levels:
    """What the loggers of this process let through."""
    root = logging.root
    return Levels(
        root.manager.disable, root.level, {logger.name: logger.level for logger in _loggers() if logger.level}
    )


def handle(record: dict[str, Any]) -> None:
    """Handle a record of a child here, if it is let through."""
    logger = logging.getLogger(record["name"])
    if logger.isEnabledFor(record["levelno"]):
        logger.handle(logging.makeLogRecord(record))


def set_levels(wanted: Levels) -> None:
    """Let through what the parent lets through."""
    logging.disable(wanted.disabled)
    logging.root.setLevel(wanted.root)
    for logger in _loggers():
        logger.setLevel(logging.NOTSET)
    for name, level in wanted.loggers.items():
        logging.getLogger(name).setLevel(level)


def take_over(send: Callable[[dict[str, Any]], None]) -> None:
    """Have all records sent, whatever handlers the app has set up."""
    for logger in _loggers():
        logger.handlers.clear()
        logger.propagate = True
    logging.root.handlers[:] = [_Sender(send)]


class _Sender(logging.Handler):
    """Sends records, made of plain values: the objects in them may be of no use elsewhere."""

    def __init__(self, send: Callable[[dict[str, Any]], None]) -> None:
        super().__init__()
        self._send = send

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._send(_plain(record))
        except Exception:  # noqa: BLE001  (the way of logging: arguments that do not fit end nothing)
            self.handleError(record)


def _plain(record: logging.LogRecord) -> dict[str, Any]:
    plain = {
        name: value if isinstance(value, _PLAIN) else str(value)
        for name, value in vars(record).items()
        if name not in ("msg", "args", "exc_info")
    }
    if record.exc_info and not record.exc_text:
        plain["exc_text"] = "".join(traceback.format_exception(*record.exc_info)).rstrip("\n")
    return plain | {"msg": record.getMessage(), "args": None, "exc_info": None}


def _loggers() -> Iterator[logging.Logger]:
    for logger in list(logging.root.manager.loggerDict.values()):
        if isinstance(logger, logging.Logger):
            yield logger
