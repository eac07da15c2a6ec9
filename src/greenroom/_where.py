"""Where a room starts: in the process that serves, and in no other that happens to import the app.

The parent of a reloader, a shell, a migration, a test: each imports the app, and would claim jobs that it is not
there to do. What is known of the process are `Facts`, and one pure function makes a `Verdict` of them. The table of
all verdicts is docs/where-it-starts.md, and the tests hold it against this file.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path, PurePath
from typing import Any, NamedTuple

from greenroom.errors import InvalidOption

SAYS = "GREENROOM_RUN"  # the variable of the environment that overrides all but the process lane
REMEDY = (
    "What is enqueued is on disk all the same, and run by the process that serves. If this one is to run it, "
    f"set {SAYS}=1."
)

_TOOLS = ("alembic", "celery", "ipython", "jupyter", "mypy", "pydoc", "pylint", "sphinx-build")
_SERVERS_OF_DJANGO = ("runserver", "runserver_plus", "rungunicorn")
_SHELLS = ("IPython", "ipykernel")


class Facts(NamedTuple):
    """What is known of a process."""

    argv: Sequence[str] = ("app.py",)
    environ: Mapping[str, str] = {}
    modules: Collection[str] = ()  # that are imported
    command: str = ""  # its command line, as the system shows it; "" where the system does not
    parent: str = ""  # that of the process that started it
    is_interactive: bool = False
    is_lane_child: bool = False  # a process of lane "process"
    is_multiprocessing_child: bool = False
    uwsgi_worker: int | None = None  # 0 in the master; None where there is no uWSGI


class Verdict(NamedTuple):
    """Whether a room starts there, and why: a clause that goes on from "because"."""

    starts: bool
    reason: str


def decide(facts: Facts) -> Verdict:
    """Whether a room is to claim and run jobs in such a process. Raises InvalidOption for a bad GREENROOM_RUN."""
    if facts.is_lane_child:
        return Verdict(False, "this process runs single tasks for the one that serves")
    said = facts.environ.get(SAYS, "")
    if said not in ("", "0", "1"):
        raise InvalidOption(f"{SAYS}={said!r} in the environment is neither 0 nor 1: set it to one of them, or not.")
    if said:
        return Verdict(said == "1", f"{SAYS}={said} says so")
    verdicts = (rule(facts) for rule in _RULES)
    return next((verdict for verdict in verdicts if verdict), Verdict(True, "nothing speaks against it"))


def here(*, is_lane_child: bool) -> Verdict:
    """The verdict on this process."""
    return decide(
        Facts(
            argv=sys.argv,
            environ=os.environ,
            modules=sys.modules.keys(),
            command=_command(os.getpid()),
            parent=_command(os.getppid()),
            is_interactive=hasattr(sys, "ps1") or bool(sys.flags.interactive),
            is_lane_child=is_lane_child,
            is_multiprocessing_child=_is_multiprocessing_child(),
            uwsgi_worker=_uwsgi_worker(),
        )
    )


def _test(facts: Facts) -> Verdict | None:
    if "_pytest.config" in facts.modules:
        return Verdict(False, "this is a test: pytest is loaded")
    if _program(facts) == "unittest":
        return Verdict(False, "this is a test: unittest runs it")
    return None


def _multiprocessing(facts: Facts) -> Verdict | None:
    if not facts.is_multiprocessing_child:
        return None
    if "WATCHFILES_CHANGES" in facts.environ:
        return Verdict(True, "watchfiles runs the app in this child of its own")
    return Verdict(False, "this is a child of multiprocessing")


def _interactive(facts: Facts) -> Verdict | None:
    if facts.is_interactive or any(shell in facts.modules for shell in _SHELLS):
        return Verdict(False, "this is an interactive Python")
    return None


def _uwsgi(facts: Facts) -> Verdict | None:
    match facts.uwsgi_worker:
        case None:
            return None
        case 0:
            return Verdict(False, "this is uWSGI's master, which forks those that serve")
        case _:
            return Verdict(True, "this is a worker of uWSGI")


def _gunicorn(facts: Facts) -> Verdict | None:
    if "gunicorn.arbiter" not in facts.modules:
        return None
    # A worker is forked and never executed, so the system shows the same command line for it and for its master.
    if facts.parent and facts.parent != facts.command and not facts.parent.startswith("gunicorn: master"):
        return Verdict(False, "this is gunicorn's master, which forks those that serve")
    return Verdict(True, "this is a worker of gunicorn")


def _greenroom(facts: Facts) -> Verdict | None:
    if _program(facts) != "greenroom":
        return None
    if _command_of(facts) == "serve":
        return Verdict(True, "`greenroom serve` serves the app")
    return Verdict(False, f"`greenroom {_command_of(facts)}` only looks at the app")


def _flask(facts: Facts) -> Verdict | None:
    if _program(facts) != "flask":
        return None
    if "run" not in facts.argv[1:]:
        return Verdict(False, "a command of flask, and not `flask run`, has imported the app")
    if _flask_reloads(facts):
        return _reloader("flask run", facts.environ.get("WERKZEUG_RUN_MAIN") == "true")
    return Verdict(True, "`flask run` serves the app")


def _flask_reloads(facts: Facts) -> bool:
    options = set(facts.argv)
    if options & {"--reload", "--no-reload"}:
        return "--reload" in options
    if options & {"--debug", "--no-debug"}:
        return "--debug" in options
    return facts.environ.get("FLASK_DEBUG", "").lower() not in ("", "0", "false", "no")


def _django(facts: Facts) -> Verdict | None:
    if _program(facts) not in ("manage", "django-admin", "django"):
        return None
    command = _command_of(facts)
    if command not in _SERVERS_OF_DJANGO:
        return Verdict(False, "a command of Django, and not one that serves, has imported the app")
    if command == "rungunicorn" or "--noreload" in facts.argv:
        return Verdict(True, f"`manage.py {command}` serves the app")
    marks = ("RUN_MAIN", "WERKZEUG_RUN_MAIN")
    return _reloader(f"manage.py {command}", any(facts.environ.get(mark) == "true" for mark in marks))


def _reloader(command: str, is_child: bool) -> Verdict:  # noqa: FBT001
    if is_child:
        return Verdict(True, f"this is the child of `{command}`, which serves the app")
    return Verdict(False, f"this is the parent of `{command}`, which only reloads those that serve")


def _tool(facts: Facts) -> Verdict | None:
    if _program(facts) in _TOOLS:
        return Verdict(False, f"{_program(facts)} serves nothing")
    return None


# The first that knows the process decides. Tests come first: they may import, and imitate, all of the others.
_RULES: tuple[Callable[[Facts], Verdict | None], ...] = (
    _test,
    _multiprocessing,
    _interactive,
    _uwsgi,
    _gunicorn,
    _greenroom,
    _flask,
    _django,
    _tool,
)


def _program(facts: Facts) -> str:
    """`flask` for /venv/bin/flask, flask.exe, and `python -m flask`."""
    name = facts.argv[0] if facts.argv else ""
    if " -m " in name:  # as unittest writes it
        return name.rpartition(" -m ")[2]
    path = PurePath(name)
    return path.parent.name if path.name == "__main__.py" else path.name.removesuffix(".py").removesuffix(".exe")


def _command_of(facts: Facts) -> str:
    return facts.argv[1] if len(facts.argv) > 1 else ""


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return ""


def _is_multiprocessing_child() -> bool:
    process: Any = sys.modules.get("multiprocessing.process")
    return process is not None and process.parent_process() is not None


def _uwsgi_worker() -> int | None:
    uwsgi: Any = sys.modules.get("uwsgi")
    return None if uwsgi is None else int(uwsgi.worker_id()) or int(uwsgi.mule_id())
