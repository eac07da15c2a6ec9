"""Where a room starts: the table in docs/where-it-starts.md, row by row."""

import re
from pathlib import Path

import pytest

from greenroom import Greenroom, InvalidOption
from greenroom._where import Facts, Verdict, decide

TABLE = Path(__file__).parents[2] / "docs" / "where-it-starts.md"
GUNICORN = {"gunicorn.arbiter"}
COMMAND = "/venv/bin/python /venv/bin/gunicorn --preload app:app"

CASES = {
    "`greenroom serve app:app`": Facts(argv=["/venv/bin/greenroom", "serve", "app:app"]),
    "`greenroom doctor app:app`": Facts(argv=["/lib/greenroom/__main__.py", "doctor", "app:app"]),
    "`python app.py`, a script of your own": Facts(argv=["app.py"]),
    "gunicorn: a worker": Facts(modules=GUNICORN, command=COMMAND, parent=COMMAND),
    "gunicorn: a worker, with setproctitle": Facts(
        modules=GUNICORN, command="gunicorn: worker [app:app]", parent="gunicorn: master [app:app]"
    ),
    "gunicorn: the master (`--preload`)": Facts(modules=GUNICORN, command=COMMAND, parent="sh -c gunicorn app:app"),
    "uWSGI: a worker": Facts(argv=["uwsgi"], uwsgi_worker=2),
    "uWSGI: the master": Facts(argv=["uwsgi"], uwsgi_worker=0),
    "`flask run`": Facts(argv=["/venv/bin/flask", "run"]),
    "`flask run --debug`: the parent": Facts(argv=["/lib/flask/__main__.py", "run", "--debug"]),
    "`flask run` with `FLASK_DEBUG=1`: the parent": Facts(argv=["flask", "run"], environ={"FLASK_DEBUG": "1"}),
    "`flask run --debug`: the child": Facts(
        argv=["flask", "--app", "site", "run", "--debug"], environ={"WERKZEUG_RUN_MAIN": "true"}
    ),
    "`flask shell`, `flask db upgrade`": Facts(argv=["flask", "shell"]),
    "`manage.py runserver`: the parent": Facts(argv=["manage.py", "runserver"]),
    "`manage.py runserver`: the child": Facts(argv=["manage.py", "runserver"], environ={"RUN_MAIN": "true"}),
    "`manage.py runserver --noreload`": Facts(argv=["./manage.py", "runserver", "--noreload"]),
    "`manage.py migrate`, `shell`, `test`": Facts(argv=["/venv/bin/django-admin", "migrate"]),
    "`watchfiles app.main`: the child": Facts(is_multiprocessing_child=True, environ={"WATCHFILES_CHANGES": "[]"}),
    "a child of multiprocessing, spawned or forked": Facts(argv=["app.py"], is_multiprocessing_child=True),
    'a process of lane "process"': Facts(is_lane_child=True),
    "pytest": Facts(argv=["/venv/bin/pytest"], modules={"pytest", "_pytest.config", "flask"}),
    "`python -m unittest`": Facts(argv=["python3 -m unittest", "discover"]),
    "Python at a prompt, IPython, Jupyter": Facts(argv=[""], is_interactive=True),
    "alembic, celery, sphinx-build and the like": Facts(argv=["/venv/bin/alembic", "upgrade", "head"]),
    "any, with `GREENROOM_RUN=1`": Facts(argv=["flask", "shell"], environ={"GREENROOM_RUN": "1"}),
    "any, with `GREENROOM_RUN=0`": Facts(argv=["greenroom", "serve"], environ={"GREENROOM_RUN": "0"}),
}


def rows():
    lines = re.findall(r"^\| (.+) \| (yes|no) \| (.+) \|$", TABLE.read_text(), re.MULTILINE)
    return {process: Verdict(starts == "yes", reason) for process, starts, reason in lines}


def test_the_table_has_a_row_for_each_case_and_no_other():
    assert list(rows()) == list(CASES)


@pytest.mark.parametrize("process", CASES)
def test_the_verdict_is_what_the_table_says(process):
    assert decide(CASES[process]) == rows()[process]


@pytest.mark.parametrize(
    ("options", "starts"),
    [
        (["--debug"], False),
        (["--debug", "--no-reload"], True),
        (["--reload"], False),
        (["--no-debug"], True),
        ([], True),
    ],
)
def test_what_asks_flask_to_reload(options, starts):
    assert decide(Facts(argv=["flask", "run", *options])).starts is starts


@pytest.mark.parametrize(("said", "starts"), [("0", True), ("false", True), ("", True), ("true", False)])
def test_what_flask_takes_for_a_no(said, starts):
    assert decide(Facts(argv=["flask", "run"], environ={"FLASK_DEBUG": said})).starts is starts


def test_a_prompt_that_is_a_shell_of_ipython():
    assert decide(Facts(modules={"ipykernel"})) == Verdict(False, "this is an interactive Python")


def test_a_gunicorn_whose_parent_is_not_known_serves():
    assert decide(Facts(modules=GUNICORN)).starts


def test_a_child_of_the_process_lane_runs_nothing_even_if_its_parent_was_told_to():
    assert not decide(Facts(is_lane_child=True, environ={"GREENROOM_RUN": "1"})).starts


@pytest.mark.parametrize("said", ["yes", "true", "2"])
def test_what_greenroom_run_cannot_say(said):
    with pytest.raises(InvalidOption) as refused:
        decide(Facts(environ={"GREENROOM_RUN": said}))
    assert str(refused.value) == (
        f"GREENROOM_RUN={said!r} in the environment is neither 0 nor 1: set it to one of them, or not."
    )


class TestARoomHere:
    """In this very process, which pytest runs."""

    @pytest.fixture(autouse=True)
    def _nothing_is_said(self, monkeypatch):
        monkeypatch.delenv("GREENROOM_RUN")

    def test_it_does_not_start_and_says_so_once(self, make_room, caplog):
        caplog.set_level("INFO", "greenroom")
        room = make_room()
        room.start()
        assert not room.is_started
        (told,) = caplog.messages
        assert told == (
            f"{room!r} does not start here: this is a test: pytest is loaded. What is enqueued is on disk all the "
            "same, and run by the process that serves. If this one is to run it, set GREENROOM_RUN=1."
        )

    def test_what_is_enqueued_is_kept_for_the_one_that_serves(self, make_room, monkeypatch):
        room = make_room()
        result = room.task(say).enqueue("hello")
        assert room.get_result(result.id).status == "READY"
        monkeypatch.setenv("GREENROOM_RUN", "1")
        room.start()
        assert result.wait(10).return_value is None


def say(word):
    assert word


@pytest.fixture
def make_room(tmp_path):
    made = []

    def make():
        room = Greenroom(f"sqlite:///{tmp_path}/greenroom.db")
        made.append(room)
        room.start()
        return room

    yield make
    for room in made:
        room.stop(0)
