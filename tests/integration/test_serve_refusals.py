"""What `greenroom serve` says when it cannot serve: the thing, the reason and the remedy, on one line."""

import socket
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

pytestmark = pytest.mark.integration

USAGE = 2
FAILED = 1

SITE = """
from greenroom import Greenroom

room = Greenroom("memory://")
number = 7

def app(environ, start_response):
    start_response("200 OK", [])
    return []

async def asgi(scope, receive, send): ...

def create_app():
    return app

def create_at_will(config=None, testing=False):
    return app

def modest(environ=None, start_response=None): ...

def wrapped(*args, debug=False): ...

class Site:
    def __init__(self, name, config=None): ...

def create_nothing(): ...

def create_for(customer): ...

def create_trouble():
    raise ValueError("no database today")
"""


@pytest.fixture
def refused(tmp_path):
    """The exit code, and what is said, of a server in a folder with this site, called HERE."""
    (tmp_path / "site1.py").write_text(SITE)

    def run(*options, app="site1:app"):
        command = [sys.executable, "-m", "greenroom", "serve", app, *options]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=30, check=False)
        assert done.stdout == ""
        return done.returncode, done.stderr.replace(str(tmp_path), "HERE")

    return run


def line(*sentences):
    return f"greenroom serve: {' '.join(sentences)}\n"


def test_a_module_that_is_missing(refused):
    assert refused(app="sitel:app") == (
        USAGE,
        line(
            "sitel:app cannot be found: there is no module sitel in HERE, nor where Python looks.",
            "Did you mean site1?",
            "Run this in the folder that holds it.",
        ),
    )


def test_a_module_that_is_missing_in_a_package(refused, tmp_path):
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "__init__.py").touch()
    (tmp_path / "shop" / "views.py").touch()
    code, said = refused(app="shop.view:app")
    assert code == USAGE
    assert "there is no module shop.view in HERE, nor where Python looks. Did you mean views?" in said


def test_an_import_that_fails_inside_the_module_is_shown(refused, tmp_path):
    (tmp_path / "broken.py").write_text("import nothing_of_that_name\n")
    assert refused(app="broken:app") == (
        FAILED,
        "Traceback (most recent call last):\n"
        '  File "HERE/broken.py", line 1, in <module>\n'
        "    import nothing_of_that_name\n"
        "ModuleNotFoundError: No module named 'nothing_of_that_name'\n"
        + line(
            "broken:app cannot be used: importing module broken failed, as shown above.",
            "Mend it and start again.",
        ),
    )


def test_a_module_that_makes_no_sense_is_shown(refused, tmp_path):
    (tmp_path / "broken.py").write_text("def app(:\n")
    code, said = refused(app="broken:app")
    assert code == FAILED
    assert said.startswith('  File "HERE/broken.py", line 1\n    def app(:\n')
    assert "SyntaxError: " in said


def test_a_factory_that_raises_is_shown(refused):
    code, said = refused(app="site1:create_trouble()")
    assert code == FAILED
    assert "ValueError: no database today\n" in said
    assert said.endswith(
        line(
            "site1:create_trouble() cannot be used: site1:create_trouble() failed, as shown above.",
            "Mend it and start again.",
        )
    )


def test_a_module_of_pythons_own_that_has_the_same_name(refused, tmp_path):
    (tmp_path / "site.py").write_text(SITE)  # Python imports its own as it starts
    code, said = refused(app="site:app")
    assert code == USAGE
    assert said.startswith("greenroom serve: site:app cannot be found: module site (")
    assert said.endswith("/site.py) has no attribute app.\n")
    assert "HERE" not in said


@pytest.mark.parametrize(
    ("app", "sentences"),
    [
        (
            "site1:ap",
            ["site1:ap cannot be found: module site1 (HERE/site1.py) has no attribute ap.", "Did you mean app?"],
        ),
        ("site1:xyz", ["site1:xyz cannot be found: module site1 (HERE/site1.py) has no attribute xyz."]),
        ("sys:app", ["sys:app cannot be found: module sys (built into Python) has no attribute app."]),
        ("site1:room.app", ["site1:room.app cannot be found: a Greenroom has no attribute app."]),
        (
            "site1",
            ["site1 is not the name of an app: give module:attribute, such as app:app or pkg.web:create_app()."],
        ),
        ("site1.py:app", ["site1.py:app names a file.", "Name the module: site1:app."]),
        ("./shop/web.py", ["./shop/web.py names a file.", "Name the module: shop.web:app."]),
        (
            "site1:create_for('ada')",
            [
                "site1:create_for('ada') cannot be called with arguments here.",
                "Write a function without any, and name that.",
            ],
        ),
        (
            "site1:create_for()",
            [
                "site1:create_for() cannot be called without arguments: missing a required argument: 'customer'.",
                "Write a function that can.",
            ],
        ),
        ("site1:number()", ["site1:number() cannot be called: it is of type int.", "Leave out the ()."]),
        (
            "site1:number",
            [
                "site1:number is not a WSGI application: it is of type int, and cannot be called.",
                "Name the app, or a factory: app:create_app().",
            ],
        ),
        (
            "site1:create_nothing()",
            [
                "site1:create_nothing() is not a WSGI application: it is of type NoneType, and cannot be called.",
                "Name the app, or a factory: app:create_app().",
            ],
        ),
        (
            "site1:create_app",
            [
                "site1:create_app is not a WSGI application: it cannot be called with (environ, start_response).",
                "If it is a factory, call it: site1:create_app().",
            ],
        ),
        (
            "site1:create_at_will",
            [
                "site1:create_at_will is not a WSGI application: start_response would be its optional argument",
                "testing.",
                "If it is a factory, call it: site1:create_at_will().",
            ],
        ),
        (
            "site1:Site",
            [
                "site1:Site is not a WSGI application: start_response would be its optional argument config.",
                "If it is a factory, call it: site1:Site().",
            ],
        ),
        (
            "site1:asgi",
            ["site1:asgi is an ASGI application, and greenroom serves WSGI.", "Serve it with an ASGI server."],
        ),
    ],
)
def test_an_app_that_cannot_be_served(refused, app, sentences):
    assert refused(app=app) == (USAGE, line(*sentences))


@pytest.mark.parametrize("app", ["site1:modest", "site1:wrapped"])
def test_an_app_is_not_refused_for_the_defaults_that_it_has(refused, app):
    assert refused("--room", "site1:app", app=app) == (
        USAGE,
        line("--room site1:app is not a Greenroom: it is of type function."),
    )


FORMS = "give host:port (127.0.0.1:8888), [address]:port ([::1]:8888) or unix:/path."


@pytest.mark.parametrize(
    ("options", "sentences"),
    [
        ("--workers 0", ["--workers 0 is no number of processes: give 1 or more."]),
        ("--drain -1", ["--drain -1 is no length of time: give seconds, 0 or more."]),
        ("--drain nan", ["--drain nan is no length of time: give seconds, 0 or more."]),
        ("--bind nowhere", [f"--bind nowhere is not an address: {FORMS}"]),
        (
            "--bind 8000",
            [
                f"--bind 8000 is not an address: {FORMS}",
                "For this machine alone: 127.0.0.1:8000; for every address it has: 0.0.0.0:8000.",
            ],
        ),
        ("--bind :99999", ["--bind :99999: there is no port 99999: ports go up to 65535."]),
        ("--bind 65536", ["--bind 65536: there is no port 65536: ports go up to 65535."]),
        (
            "--bind ::1:8000",
            [f"--bind ::1:8000 is not an address: {FORMS}", "An IPv6 address stands in brackets."],
        ),
        ("--bind localhost:70000", ["--bind localhost:70000: there is no port 70000: ports go up to 65535."]),
        (
            "--bind unix:app.sock",
            ["--bind unix:app.sock: the path of a unix socket starts with a slash: unix:/run/app.sock."],
        ),
        (
            "--room nope",
            ["--room nope is not the name of a room: give module:attribute, such as tasks:room."],
        ),
        ("--room tasks.py", ["--room tasks.py names a file.", "Name the module: tasks:room."]),
        ("--room tasks.py:work", ["--room tasks.py:work names a file.", "Name the module: tasks:work."]),
        ("--room site1:app", ["--room site1:app is not a Greenroom: it is of type function."]),
        (
            "--room site1:rom",
            ["site1:rom cannot be found: module site1 (HERE/site1.py) has no attribute rom.", "Did you mean room?"],
        ),
    ],
)
def test_options_that_make_no_sense(refused, options, sentences):
    assert refused(*options.split()) == (USAGE, line(*sentences))


@pytest.mark.parametrize(
    ("bind", "sentences"),
    [
        (
            "192.0.2.1:8000",  # an address for documentation, which no machine has
            [
                "192.0.2.1 is not an address of this machine.",
                "Bind to one that is, to 127.0.0.1 (reached from this machine alone) or to 0.0.0.0 (every address it",
                "has).",
            ],
        ),
        (
            "unix:/nowhere/at/all.sock",
            [
                "unix:/nowhere/at/all.sock cannot be bound: there is no such folder.",
                "Make it, or choose another path.",
            ],
        ),
    ],
)
def test_addresses_that_cannot_be_bound(refused, bind, sentences):
    assert refused("--bind", bind) == (FAILED, line(*sentences))


def test_a_host_that_cannot_be_found(refused):
    code, said = refused("--bind", "nobody.invalid:8000")
    assert code == FAILED
    assert said.startswith("greenroom serve: host 'nobody.invalid' cannot be found: ")
    assert said.endswith(". Bind to a numeric address.\n")


def test_a_port_that_is_taken_is_found_out_before_the_room_opens_its_store(refused, tmp_path):
    (tmp_path / "stored.py").write_text(SITE.replace('"memory://"', ""))
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = f"127.0.0.1:{other.getsockname()[1]}"
        assert refused("--bind", address, app="stored:app") == (
            FAILED,
            line(f"{address} is taken: another program listens there.", "End it, or choose another with --bind."),
        )
    assert not (tmp_path / "greenroom.db").exists()


def test_a_unix_socket_that_is_taken(refused, tmp_path):
    path = tmp_path / "site.sock"
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(path))
        other.listen()
        code, said = refused("--bind", f"unix:{path}")
    assert code == FAILED
    assert "unix:HERE/site.sock is taken: another program listens there." in said
    assert path.exists()


def test_a_path_where_something_else_is(refused, tmp_path):
    diary = tmp_path / "diary"
    diary.write_text("dear diary")
    assert refused("--bind", f"unix:{diary}") == (
        FAILED,
        line("unix:HERE/diary cannot be bound: the file there is no socket.", "Move it, or name another."),
    )
    assert diary.read_text() == "dear diary"


def test_a_port_for_root_alone(refused):
    with socket.socket() as trial:
        try:
            trial.bind(("127.0.0.1", 81))
        except PermissionError:
            pass
        else:
            pytest.skip("whoever runs this may bind any port")
    code, said = refused("--bind", "127.0.0.1:81")
    assert code == FAILED
    assert "127.0.0.1:81 cannot be bound: Permission denied. Ports below 1024 are for root: bind to a higher" in said


def test_a_folder_that_may_not_be_written_to(refused):
    if not Path("/sys/kernel").is_dir():
        pytest.skip("needs a folder that not even root may write to")
    code, said = refused("--bind", "unix:/sys/kernel/site.sock")
    assert code == FAILED
    assert said.startswith("greenroom serve: unix:/sys/kernel/site.sock cannot be bound: ")
    assert said.endswith(" Let the app's user write to the folder.\n")


def test_an_app_without_a_room(refused, tmp_path):
    (tmp_path / "bare.py").write_text("def app(environ, start_response): ...\n")
    assert refused(app="bare:app") == (
        USAGE,
        line(
            "bare:app has no room: there is no Greenroom in module bare, nor in app.extensions['greenroom'].",
            "Say where it is: --room tasks:room.",
        ),
    )


def test_an_app_with_several_rooms(refused, tmp_path):
    (tmp_path / "two.py").write_text(SITE + "mail = Greenroom('memory://')\nalso = room\n")
    assert refused(app="two:app") == (
        USAGE,
        line("there are several rooms: two:room, two:mail.", "Say which one: --room two:room."),
    )


def test_a_pid_file_in_a_folder_that_is_not_there(refused):
    code, said = refused("--bind", "127.0.0.1:0", "--pid", "run/site.pid")
    assert code == FAILED
    assert said == line(
        "--pid HERE/run/site.pid cannot be written: there is no folder HERE/run.", "Make it, or name another."
    )


def test_a_pid_file_that_is_a_folder(refused, tmp_path):
    (tmp_path / "site.pid").mkdir()
    code, said = refused("--bind", "127.0.0.1:0", "--pid", "site.pid")
    assert code == FAILED
    assert said == line("--pid HERE/site.pid cannot be written: it is a folder.", "Name a file in it.")
    assert [*tmp_path.glob("site.pid*")] == [tmp_path / "site.pid"]  # nor is a half-made one left


def test_a_pid_file_where_nobody_may_write(refused):
    if not Path("/sys/kernel").is_dir():
        pytest.skip("needs a folder that not even root may write to")
    code, said = refused("--bind", "127.0.0.1:0", "--pid", "/sys/kernel/site.pid")
    assert code == FAILED
    assert said.startswith("greenroom serve: --pid /sys/kernel/site.pid cannot be written: ")
    assert said.endswith(". Let the app's user write there.\n")


def test_a_store_that_cannot_be_opened(refused, tmp_path):
    (tmp_path / "stored.py").write_text(SITE.replace("memory://", "sqlite:///data/room.db"))
    assert refused("--bind", "127.0.0.1:0", app="stored:app") == (
        FAILED,
        line("sqlite:///HERE/data/room.db: there is no folder HERE/data.", "Make it, or name another."),
    )


def test_a_store_that_is_a_folder(refused, tmp_path):
    (tmp_path / "stored.py").write_text(SITE.replace("memory://", "sqlite:///data"))
    (tmp_path / "data").mkdir()
    assert refused("--bind", "127.0.0.1:0", app="stored:app") == (
        FAILED,
        line("sqlite:///HERE/data is a folder: name a file in it, such as greenroom.db."),
    )


def greenroom(*arguments):
    command = [sys.executable, "-m", "greenroom", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["sreve"], "argument COMMAND: invalid choice: 'sreve'"),
        ([], "the following arguments are required: COMMAND"),
        (["serve", "app:app", "--bnid", "127.0.0.1:0"], "unrecognized arguments: --bnid 127.0.0.1:0"),
        (["serve"], "greenroom serve: error: the following arguments are required: MODULE:APP"),
        (["backup", "--room", "app:room"], "greenroom backup: error: the following arguments are required: TARGET"),
    ],
)
def test_a_command_line_that_makes_no_sense(arguments, said):
    done = greenroom(*arguments)
    assert done.returncode == USAGE
    assert said in done.stderr


def test_the_version_is_told():
    done = greenroom("--version")
    assert (done.returncode, done.stdout) == (0, f"greenroom {version('greenroom')}\n")
