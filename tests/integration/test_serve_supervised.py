"""Started by systemd, `greenroom serve` speaks its protocol: a datagram for each word, and a socket passed on."""

import http.client
import os
import signal
import socket
import subprocess
import sys

import pytest
from apps.served import PATIENCE, Served, until

pytestmark = [pytest.mark.integration, pytest.mark.slow]


@pytest.fixture
def manager(tmp_path, monkeypatch):
    """The end of systemd: what it is told, one word after the other."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
        line.bind(str(tmp_path / "notify"))
        line.settimeout(PATIENCE)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        yield lambda: line.recv(4096).decode().splitlines()


def test_systemd_is_told_when_it_serves_and_when_it_stops(serve, manager):
    server = serve()
    assert manager()[:2] == ["READY=1", f"MAINPID={server.process.pid}"]
    server.told()
    assert manager()[0] == "STOPPING=1"
    assert server.ended() == 0


def test_systemd_is_told_which_process_is_the_one_to_watch_after_a_deploy(serve, manager):
    server = serve()
    manager()
    server.told(signal.SIGHUP)
    reloading = manager()
    assert reloading[0] == "RELOADING=1"
    assert reloading[1].startswith("MONOTONIC_USEC=")
    ready, said_by_itself = manager()[:2]
    successor = int(said_by_itself.removeprefix("MAINPID="))
    assert (ready, successor != server.process.pid) == ("READY=1", True)
    assert manager()[:2] == [f"MAINPID={successor}", "READY=1"]
    assert server.ended() == 0  # and says nothing of a stop
    os.kill(successor, signal.SIGTERM)
    assert manager()[0] == "STOPPING=1"


def test_systemd_is_told_that_a_deploy_has_failed(serve, manager):
    server = serve()
    manager()
    (server.folder / "stage.py").write_text("raise ValueError")
    server.told(signal.SIGHUP)
    assert manager()[0] == "RELOADING=1"
    assert manager() == ["READY=1", "STATUS=serving; the last successor could not be started"]


def test_what_it_starts_is_not_taken_for_the_service(serve, manager):
    server = serve()
    assert server.get("/environ?name=NOTIFY_SOCKET")[1] == "unset"


ACTIVATE = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=sys.argv[2])
os.execv(sys.argv[3], sys.argv[3:])
"""


class Activated:
    """A server to which a socket was passed on, as systemd does it."""

    def __init__(self, folder, listener, *options, sockets=1):
        Served.furnish(folder)
        self.stderr = folder / "stderr"
        serve = [sys.executable, "-m", "greenroom", "serve", "stage:app", *options]
        activate = [sys.executable, "-c", ACTIVATE, str(listener.fileno()), str(sockets), *serve]
        with self.stderr.open("wb") as stderr:
            self.process = subprocess.Popen(activate, cwd=folder, stderr=stderr, pass_fds=[listener.fileno()])

    def said(self, text):
        until(lambda: text in self.stderr.read_text() or self.process.poll() is not None, text)
        return self.stderr.read_text()


@pytest.fixture
def activate(tmp_path):
    started = []

    def start(listener, *options, **kwargs):
        started.append(Activated(tmp_path, listener, *options, **kwargs))
        return started[-1]

    yield start
    for server in started:
        if server.process.poll() is None:
            server.process.kill()
        server.process.wait()


def test_it_serves_at_a_socket_that_systemd_passes_on(activate):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        connection.connect()  # before anybody serves: it waits
        server = activate(listener)
    connection.request("GET", "/hello")
    assert connection.getresponse().read() == b"hello"
    connection.close()
    assert f"serving stage:app at http://127.0.0.1:{port} (" in server.said("greenroom: serving")
    server.process.terminate()
    assert server.process.wait(PATIENCE) == 0


def test_a_unix_socket_of_systemds_is_left_to_it(activate, tmp_path):
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "app.sock"))
        listener.listen()
        server = activate(listener, "--bind", "127.0.0.1:1")
        said = server.said("is not used")
        assert f"--bind 127.0.0.1:1 is not used: systemd passes on a socket at unix:{tmp_path}/app.sock." in said
        server.process.terminate()
        assert server.process.wait(PATIENCE) == 0
    assert (tmp_path / "app.sock").exists()


def test_several_sockets_are_refused(activate):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = activate(listener, sockets=2)
        assert server.process.wait(PATIENCE) == 2
    assert server.stderr.read_text() == (
        "greenroom serve: systemd passes on 2 sockets, and greenroom serves at one: leave one ListenStream=.\n"
    )


def test_what_is_no_socket_that_listens_is_refused(activate):
    with socket.socket() as idle:
        server = activate(idle)
        assert server.process.wait(PATIENCE) == 1
    assert server.stderr.read_text() == (
        "greenroom serve: the socket that was passed on as file 3 cannot be used: it does not listen for "
        "connections. Pass on one that listens, such as systemd's ListenStream=.\n"
    )
