"""Several processes: `greenroom serve --workers N` becomes gunicorn, with our worker class.

Becomes it, and does not call it: gunicorn's master is to be a process that is not patched, and has no event loop.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from math import ceil
from typing import NoReturn

from greenroom.server._address import USUAL, parse_address
from greenroom.server._listener import Listener
from greenroom.server._refusal import FAILED, Refusal
from greenroom.server._serve import Wanted
from greenroom.server._supervisor import sent_by_systemd

MARGIN = 5.0  # seconds beyond the drain that a worker has to give back tasks and close the store in
# As ours: who, what, how it went, how many bytes, how long it took, and its id.
_ACCESS = '%(h)s "%(r)s" %(s)s %(B)s %(M)s ms %({x-request-id}o)s'


def become_several(wanted: Wanted, workers: int) -> NoReturn:
    """Never returns: from here on this process is gunicorn's master. Raises Refusal if that cannot be."""
    if find_spec("gunicorn") is None:
        raise Refusal(
            f"--workers {workers} needs gunicorn, which starts and watches the processes: "
            "pip install 'greenroom[workers]'.",
            exit_code=FAILED,
        )
    sent = sent_by_systemd(os.environ)
    listener = Listener.at(parse_address(wanted.bind or USUAL)) if sent is None else Listener.passed_on(sent)
    os.set_inheritable(listener.socket.fileno(), True)
    sys.stderr.write(
        f"greenroom: serving {wanted.app} at {listener.url} "
        f"({workers} processes, drain {wanted.drain:g} s, pid {os.getpid()})\n"
    )
    command = [sys.executable, "-m", "greenroom.contrib.gunicorn", *_options(wanted, workers, listener)]
    os.execve(sys.executable, command, {**os.environ, **_environment(wanted)})  # noqa: S606  (no shell is meant)


def _options(wanted: Wanted, workers: int, listener: Listener) -> list[str]:
    options = {
        "bind": f"fd://{listener.socket.fileno()}",
        "workers": str(workers),
        "worker-class": "greenroom.contrib.gunicorn.Worker",
        "graceful-timeout": f"{ceil(wanted.drain + MARGIN)}",
        "log-level": wanted.log_level or "info",
        "access-logformat": _ACCESS,
    }
    if wanted.pid is not None:
        options["pid"] = wanted.pid
    if wanted.access_log:
        options["access-logfile"] = "-"
    return [f"--{name}={value}" for name, value in options.items()] + [wanted.app]


def _environment(wanted: Wanted) -> Mapping[str, str]:
    environment = {} if wanted.healthz else {"GREENROOM_HEALTHZ": "0"}
    return environment | ({"GREENROOM_ROOM": wanted.room} if wanted.room else {})
