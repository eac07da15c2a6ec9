"""The worker: gunicorn's own for gevent, with a room in it.

    fork ──> patch ──> load the app ──> start its room ──> serve ... told to end, or has served enough
                                                                          │
                       exit <── close the store <── requests and tasks end, side by side

gunicorn ends a process that does not call `notify` for a while, and one that takes longer to end than its
`graceful_timeout`: so the one is called as long as tasks run, and they get a little less time than the other.
"""

from __future__ import annotations

import os
import signal
import sys
from contextvars import Context
from types import FrameType
from typing import Any, NoReturn

from gevent import Greenlet, get_hub, spawn
from gunicorn.arbiter import Arbiter
from gunicorn.workers.base import Worker as AnyWorker
from gunicorn.workers.ggevent import GeventWorker

from greenroom._piece import Piece, boundary
from greenroom.app import Greenroom
from greenroom.errors import InvalidOption, StoreError
from greenroom.lanes.traffic import traffic
from greenroom.server._find import Found, find_room
from greenroom.server._front import Front, piece_of_request
from greenroom.server._health import Health
from greenroom.server._logs import set_up_logs
from greenroom.server._refusal import FAILED, Refusal
from greenroom.server._several import MARGIN

_NOTIFY = 1.0


class Worker(GeventWorker):  # type: ignore[misc]  # gunicorn is not typed
    """Named to gunicorn as `-k greenroom.contrib.gunicorn.Worker`.

    The room is found in the app's module, or where GREENROOM_ROOM says ("tasks:room"). /healthz is answered unless
    GREENROOM_HEALTHZ is 0.
    """

    room: Greenroom
    wsgi: Any
    _has_begun = False  # to run tasks
    _ending: Greenlet | None = None
    _is_urgent = False

    def init_signals(self) -> None:
        super().init_signals()
        # gunicorn has each signal written into a pipe, which its gevent worker never reads: the guard's alarms would
        # fill it, and Python complain of each one after that.
        signal.set_wakeup_fd(-1)

    def load_wsgi(self) -> None:
        super().load_wsgi()
        try:
            self.room = self._find_room()
        except Refusal as refusal:
            self._refuse(refusal)
        level = self.cfg.loglevel
        set_up_logs(None if level == "info" else level, access_log=False)  # gunicorn writes one
        serving = Health(self.wsgi, trouble=self.room.trouble, is_stopping=lambda: not self.alive)
        self.wsgi = Front(self.wsgi if os.environ.get("GREENROOM_HEALTHZ") == "0" else serving)

    def run(self) -> None:
        if not self.alive:
            return  # it was told to end while the app was loaded
        try:
            self.room.start()
        except (StoreError, InvalidOption) as error:
            self._refuse(Refusal(str(error), exit_code=FAILED))
        self._has_begun = True
        try:
            super().run()
        finally:
            self._end()

    def handle_request(self, listener_name: Any, req: Any, sock: Any, addr: Any) -> Any:
        # A context of its own: it would otherwise find what the last request on this connection has set.
        return Context().run(self._respond, listener_name, req, sock, addr)

    def notify(self) -> None:
        super().notify()
        if not self.alive:
            self._begin_to_end()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        super().handle_exit(sig, frame)
        self._begin_to_end_soon()

    def handle_quit(self, sig: int, frame: FrameType | None) -> None:
        self._is_urgent = True
        super().handle_quit(sig, frame)

    def _respond(self, listener_name: Any, req: Any, sock: Any, addr: Any) -> Any:
        with traffic:
            return super().handle_request(listener_name, req, sock, addr)

    def _find_room(self) -> Greenroom:
        uri = getattr(self.app, "app_uri", None) or ""
        option = getattr(self.app, "room_option", "GREENROOM_ROOM=")
        return find_room(os.environ.get("GREENROOM_ROOM"), Found.by_others(uri, self.wsgi), option)

    def _refuse(self, refusal: Refusal) -> NoReturn:
        refusal.show("serve")
        sys.exit(Arbiter.APP_LOAD_ERROR)  # which ends the master too, instead of having it try again for ever

    def _begin_to_end_soon(self) -> None:
        get_hub().loop.run_callback_threadsafe(self._begin_to_end)  # it may be called amid anything

    def _begin_to_end(self) -> None:
        """Claim nothing more, and let what runs end while requests do."""
        if self._ending is None and self._has_begun:  # before, there may be no room, and run() sees to it
            patience = max(0, self.cfg.graceful_timeout - MARGIN)
            self._ending = spawn(self.room.stop, 0 if self._is_urgent else patience)

    def _end(self) -> None:
        self._begin_to_end()
        if self._is_urgent:
            self.room.stop(0)
        while self._ending is not None and not self._ending.ready():
            AnyWorker.notify(self)  # not gevent's: should the master be gone, there is nobody to be quick for
            self._ending.join(_NOTIFY)


def _request(frame: FrameType) -> Piece:
    req, worker = frame.f_locals["req"], frame.f_locals["self"]
    return piece_of_request(frame, req.method, req.path, is_preemptible=worker.room.preempts_requests)


boundary(Worker._respond, _request)  # noqa: SLF001  (it is this file's)
