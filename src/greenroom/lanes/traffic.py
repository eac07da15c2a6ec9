"""Traffic: the requests that are in flight in this process, as a server tells; none without one."""

from __future__ import annotations


class Traffic:
    """Counts them; a server of yours may too."""

    def __init__(self) -> None:
        self.in_flight = 0

    def __enter__(self) -> None:
        self.in_flight += 1

    def __exit__(self, *_: object) -> None:
        self.in_flight -= 1


traffic = Traffic()
