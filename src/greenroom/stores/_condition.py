"""A condition: what is wrong with a store just now, told once when it begins and once when it is over."""

from __future__ import annotations

import logging

from greenroom.errors import StoreUnavailable

log = logging.getLogger("greenroom.store")


class Condition:
    """Of one open store. Any thread may ask."""

    def __init__(self, url: str) -> None:
        self.trouble: StoreUnavailable | None = None
        self._url = url

    def worsen(self, trouble: StoreUnavailable) -> None:
        if type(trouble) is not type(self.trouble):
            log.error("%s", trouble)
        self.trouble = trouble

    def recover(self) -> None:
        if self.trouble is not None:
            log.warning("%s works again; before, it was: %s", self._url, type(self.trouble).__name__)
            self.trouble = None
