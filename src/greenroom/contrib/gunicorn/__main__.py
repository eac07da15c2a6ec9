"""What `greenroom serve --workers N` becomes: gunicorn, which finds the app as `greenroom serve` does."""

from __future__ import annotations

import sys
from typing import Any

from gunicorn.app.wsgiapp import WSGIApplication
from gunicorn.arbiter import Arbiter
from gunicorn.errors import HaltServer

from greenroom.server._find import find_app
from greenroom.server._refusal import Refusal


class Application(WSGIApplication):  # type: ignore[misc]  # gunicorn is not typed
    """An app that is loaded by each worker."""

    room_option = "--room "  # as was typed; gunicorn's own command has only the environment

    def load_config(self) -> None:
        super().load_config()
        if "control_socket_disable" in self.cfg.settings:
            self.cfg.set("control_socket_disable", True)  # its place is one for all who run as this user

    def load(self) -> Any:
        try:
            return find_app(self.app_uri).value
        except Refusal as refusal:
            refusal.show("serve")
            sys.exit(Arbiter.APP_LOAD_ERROR)  # which ends the master too, instead of having it try again


if __name__ == "__main__":
    try:
        Application("greenroom serve APP [OPTIONS]").run()
    except HaltServer as halt:  # a second worker could not begin either, while the master was already about to end
        sys.exit(halt.exit_status)
