"""The siblings: other workers on the same file. They are rung when something has changed, and missed when they die.

    writer thread: COMMIT ──ring──> greenroom.db.workers/<name>.bell ──> hub of each sibling: heard(news)
    the kernel: a sibling has died ──pidfd──> hub: heard(has_left)

Each newcomer rings all who are here, so that they look who is. They ring back: it was not told of what they wrote
before they knew of it, so it takes anything to have changed. Bells may be missed: so once a second, while there are
siblings, the writer thread asks SQLite whether anybody wrote, and looks after those who cannot be watched over. A
process that is alone does nothing of all this.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import reduce
from operator import or_
from pathlib import Path
from typing import Any

from gevent import get_hub

from greenroom.clock import SystemClock
from greenroom.stores._bell import SUFFIX, Bell
from greenroom.stores._incarnation import is_over, others, pid_of
from greenroom.stores._news import decoded, encoded
from greenroom.stores.base import ANYTHING, News

LOOK = 1.0  # seconds between looks at what may have been missed
_HELLO = News()
_AT_ONCE = 64  # messages that are read in one go
_FULL = 8  # messages at once, from which on there may have been more: a queue holds 10 or so

log = logging.getLogger("greenroom.store")


class Siblings:
    """Those who share the folder. `heard` is called in the event loop; `stir` has `look` called soon."""

    def __init__(self, folder: Path, *, heard: Callable[[News], object], stir: Callable[[], None]) -> None:
        self._folder = folder
        self._heard = heard
        self._stir = stir
        self._loop = get_hub().loop
        self._bell = self._hang_up()
        self._porter = self._loop.io(self._bell.fileno(), 1) if self._bell else None
        self._bells: tuple[str, ...] = ()  # of the others
        self._unwatched: list[str] = []  # the lives of those who can die unseen
        self._vigils: dict[int, tuple[Any, int]] = {}  # the processes that are watched over, by pid
        self._has_changed = False  # who is here
        self._clock = SystemClock()
        self._looked_at = 0.0
        self._has_news = False
        self._has_missed = False  # something that was told, perhaps
        self._is_in_doubt = False  # whether somebody wrote who has told nothing
        self._is_greeted = False  # by somebody who may have written before they knew of each other
        self._version: int | None = None
        if self._porter:
            self._porter.start(self._answer)

    # In the writer thread.

    def arrive(self) -> None:
        """Look who is here, and have them look too."""
        self._look_around()
        self.ring(_HELLO)

    def ring(self, news: News) -> None:
        """Tell the others, if there are any."""
        if not self._bells or not self._bell:
            return
        message = encoded(news)
        gone = [name for name in self._bells if not self._bell.ring(name, message)]
        if gone:
            self._bells = tuple(name for name in self._bells if name not in gone)
            self._has_changed = True
            self._tell(ANYTHING)

    @property
    def are_here(self) -> bool:
        """Whether anybody is to be told of anything."""
        return bool(self._bells)

    @property
    def is_alone(self) -> bool:
        """Whether no other is known of, and whoever comes will ring."""
        return not (self._bells or self._unwatched or self._vigils) and self._bell is not None

    def look(self, connection: Callable[[], sqlite3.Connection]) -> None:
        """See to what the bells do not tell. May be called at any time, and asks SQLite once a second at most."""
        if self._has_changed:
            self._look_again()
        now = self._clock.monotonic()
        if self.is_alone or now - self._looked_at < LOOK:
            return
        self._looked_at = now
        (version,) = connection().execute("PRAGMA data_version").fetchone()
        if self._is_in_doubt and (self._is_greeted or not self._has_news):
            self._is_greeted = False
            self._tell(ANYTHING)
        # Not at once: what was written a moment ago may be told of in a moment.
        self._is_in_doubt = self._is_greeted or (version != self._version and not self._has_news)
        self._version = version
        self._has_news = False
        if self._has_missed or any(is_over(self._folder, name) for name in self._unwatched):
            self._has_missed = False
            self._look_again()

    def leave(self) -> None:
        """Tell the others that one goes, those too who have come just now."""
        with suppress(OSError):  # else those who are known of are told
            self._find_bells(self._names())
        self.ring(ANYTHING)

    def _look_again(self) -> None:
        """Look who is here now, and have newcomers know that they are known of."""
        known = self._bells
        self._look_around()
        for name in self._bells:
            if self._bell and name not in known:
                self._bell.ring(name, encoded(_HELLO))

    def _look_around(self) -> None:
        self._has_changed = False
        names = self._names()
        self._find_bells(names)
        fds: dict[int, int] = {}
        watched: set[int] = set()
        self._unwatched = []
        for name in others(names):
            pid = pid_of(self._folder, name)
            if pid is not None and (pid in self._vigils or pid in fds or self._open(pid, name, fds)):
                watched.add(pid)
            elif is_over(self._folder, name):
                self._tell(ANYTHING)
            else:
                self._unwatched.append(name)
        self._loop.run_callback_threadsafe(self._watch_over, fds, watched)

    def _names(self) -> list[str]:
        return [path.name for path in self._folder.iterdir()] if self._folder.is_dir() else []

    def _find_bells(self, names: list[str]) -> None:
        self._bells = tuple(name for name in names if name.endswith(SUFFIX) and not self._is_mine(name))

    def _open(self, pid: int, name: str, fds: dict[int, int]) -> bool:
        """Open what tells of the end of that process, if the kernel can, and if it is still that process."""
        if sys.platform != "linux":
            return False
        try:
            fd = os.pidfd_open(pid)
        except OSError:
            return False
        if pid_of(self._folder, name) != pid:
            os.close(fd)
            return False
        fds[pid] = fd
        return True

    def _is_mine(self, name: str) -> bool:
        return self._bell is not None and name == self._bell.name

    def _tell(self, news: News) -> None:
        self._loop.run_callback_threadsafe(self._hear, news)

    # In the hub.

    def _hear(self, news: News) -> None:
        self._heard(news)  # as it is by then: who has closed meanwhile hears nothing more

    def close(self) -> None:
        """Take down one's own bell, and watch over nobody."""
        self._heard = _nothing
        if self._bell and self._porter:
            self._porter.stop()
            self._porter.close()
            self._bell.close()
        self._bell, self._bells = None, ()
        self._watch_over({}, set())

    def forsake(self) -> None:
        """This is a forked child: the bell is the parent's, and what is told by it too."""
        self._heard = _nothing
        for watcher in (self._porter, *(watcher for watcher, _ in self._vigils.values())):
            if watcher:
                watcher.stop()

    def _answer(self) -> None:
        """The bell has been rung."""
        assert self._bell  # noqa: S101  (else nothing could have been heard)
        messages = [decoded(message) for message in self._bell.heard(_AT_ONCE)]
        self._is_greeted |= _HELLO in messages
        if any(news == _HELLO or news.has_left for news in messages):
            self._has_changed = True
            self._stir()
        if len(messages) >= _FULL:
            self._has_missed = True
            messages.append(ANYTHING)
        self._has_news = True
        news = reduce(or_, messages, _HELLO)
        if news != _HELLO:
            self._heard(news)

    def _watch_over(self, fds: dict[int, int], watched: set[int]) -> None:
        """Watch over the processes of these pids, some of them new, and no others."""
        if self._heard is _nothing:
            watched = set()
        for pid in [pid for pid in self._vigils if pid not in watched]:
            self._end_vigil(pid)
        for pid, fd in fds.items():
            if pid in watched:
                watcher = self._loop.io(fd, 1)
                self._vigils[pid] = watcher, fd
                watcher.start(self._miss, pid)
            else:
                os.close(fd)

    def _miss(self, pid: int) -> None:
        """A sibling has died."""
        self._end_vigil(pid)
        self._has_changed = True
        self._stir()
        self._heard(ANYTHING)

    def _end_vigil(self, pid: int) -> None:
        watcher, fd = self._vigils.pop(pid)
        watcher.stop()
        watcher.close()
        os.close(fd)

    def _hang_up(self) -> Bell | None:
        try:
            return Bell(self._folder)
        except OSError as error:
            log.warning(
                "%s: no socket can be made here (%s), so that other processes are heard of once a second only.",
                self._folder,
                error,
            )
            return None


def _nothing(news: News) -> None:
    """Nobody listens any more."""
