"""The twin of openloop.c in Python, for machines without a compiler: a visitor who does not wait for answers.

Asks at fixed moments over keep-alive connections, and times each answer from the moment its request was due.

    python -m benchmarks.openloop PORT RATE LEAD SECONDS GRACE CONNECTIONS
"""

from __future__ import annotations

import gc
import json
import os
import select
import socket
import sys
from contextlib import suppress
from time import perf_counter

REQUEST = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


class Failed(Exception):
    """An answer that is none."""


class Connection:
    """One of those that the requests take turns on."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._answer = b""
        self._socket = self._dialled()

    def fileno(self) -> int:
        return self._socket.fileno()

    def ask(self) -> None:
        self._answer = b""
        try:
            self._socket.sendall(REQUEST)
        except OSError as reason:
            raise Failed from reason

    def is_answered(self) -> bool:
        """Take what has come; say whether it is the whole answer."""
        try:
            got = self._socket.recv(8192)
        except OSError as reason:
            raise Failed from reason
        self._answer += got
        head, end, body = self._answer.partition(b"\r\n\r\n")
        if not got or (end and not head.startswith(b"HTTP/1.1 200")):
            raise Failed
        if not end:
            return False
        _, _, rest = head.lower().partition(b"content-length:")
        return len(body) >= int(rest.split(b"\r\n")[0])

    def redial(self) -> None:
        self._socket.close()
        self._socket = self._dialled()

    def _dialled(self) -> socket.socket:
        made = socket.socket()
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        made.settimeout(1.0)  # of connect and send: a frozen server must not freeze us
        with suppress(OSError):
            made.connect(("127.0.0.1", self._port))
        return made


class Visit:
    """The requests of one measurement, and what became of them."""

    def __init__(self, port: int, rate: float, count: int, connections: int) -> None:
        self._idle = [Connection(port) for _ in range(connections)]
        self._busy: dict[Connection, int] = {}
        self._rate = rate
        self._start = perf_counter() + 0.01
        self._next = 0
        self.latencies: list[float | None] = [None] * count
        self.own: list[float | None] = [None] * count  # how late we were ourselves
        self.failed: set[int] = set()
        self._settled = 0

    def until(self, seconds: float) -> None:
        """Go on until all is answered or so many seconds have passed."""
        count, deadline = len(self.latencies), self._start + seconds
        was_waiting = False
        while self._settled < count and (now := perf_counter()) < deadline:
            while self._idle and self._next < count and self._due(self._next) <= now:
                self._ask(now - self._due(self._next) if was_waiting else None)
            was_waiting = bool(self._idle) and self._next < count
            rest = (self._due(self._next) if was_waiting else deadline) - perf_counter()
            readable, _, _ = select.select(list(self._busy), (), (), max(0.0, rest))
            for connection in readable:
                self._hear(connection)

    def _due(self, number: int) -> float:
        return self._start + number / self._rate

    def _ask(self, own: float | None) -> None:
        number, self._next = self._next, self._next + 1
        connection = self._idle.pop(0)
        self.own[number] = own
        self._busy[connection] = number
        try:
            connection.ask()
        except Failed:
            self._fail(connection)

    def _hear(self, connection: Connection) -> None:
        try:
            is_whole = connection.is_answered()
        except Failed:
            self._fail(connection)
            return
        if is_whole:
            number = self._busy[connection]
            self.latencies[number] = perf_counter() - self._due(number)
            self._rest(connection)

    def _fail(self, connection: Connection) -> None:
        self.failed.add(self._busy[connection])
        connection.redial()
        self._rest(connection)

    def _rest(self, connection: Connection) -> None:
        del self._busy[connection]
        self._idle.append(connection)
        self._settled += 1


def main(port: str, rate: str, lead: str, seconds: str, grace: str, connections: str) -> None:  # noqa: PLR0917 - as openloop.c has them
    with suppress(OSError):
        os.nice(-10)  # where it is allowed: our own lateness would be taken for the server's
    gc.disable()
    skipped, count = round(float(rate) * float(lead)), round(float(rate) * (float(lead) + float(seconds)))
    visit = Visit(int(port), float(rate), count, int(connections))
    visit.until(float(lead) + float(seconds) + float(grace))
    latencies = [latency for latency in visit.latencies[skipped:] if latency is not None]
    failed = sum(number >= skipped for number in visit.failed)
    said = {
        "latencies": latencies,
        "own": [late for late in visit.own[skipped:] if late is not None],
        "unanswered": count - skipped - len(latencies) - failed,
        "failed": failed,
    }
    print(json.dumps(said), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
