"""SIGHUP: a successor takes over the listening socket, and nobody notices; or it does not, and all is as it was."""

import os
import signal
import socket
from pathlib import Path

import pytest
from apps.served import PATIENCE, until

pytestmark = [pytest.mark.integration, pytest.mark.slow]


class Process:
    """One of which we are not the parent."""

    def __init__(self, pid):
        self.pid = pid

    def is_alive(self):
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        return "Z" not in Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[:1]


@pytest.fixture
def renew():
    """Has a server succeeded, and gives the pid of the successor."""
    successors = []

    def go(server):
        pid = server.process.pid if not successors else successors[-1]
        os.kill(pid, signal.SIGHUP)
        until(lambda: f", in the place of {pid})" in server.stderr, f"a successor serves: {server.stderr}")
        (line,) = [line for line in server.stderr.splitlines() if f", in the place of {pid})" in line]
        successors.append(int(line.rpartition("pid ")[2].partition(",")[0]))
        return successors[-1]

    yield go
    for pid in successors:
        if Process(pid).is_alive():
            os.kill(pid, signal.SIGKILL)
            until(lambda pid=pid: not Process(pid).is_alive(), "the successor to be gone")


def test_a_successor_serves_at_the_same_address_and_the_old_one_ends(serve, renew):
    server = serve()
    assert server.get("/pid")[1] == str(server.process.pid)
    successor = renew(server)
    assert server.ended() == 0
    assert server.get("/pid")[1] == str(successor)
    server.said(f"process {successor} has taken over: ending within 30 s")


def test_and_so_on(serve, renew):
    server = serve("--pid", "the.pid")
    first = renew(server)
    second = renew(server)
    until(lambda: not Process(first).is_alive(), "the first successor ends")
    assert server.get("/pid")[1] == str(second)
    assert (server.folder / "the.pid").read_text() == f"{second}\n"
    os.kill(second, signal.SIGTERM)
    until(lambda: not Process(second).is_alive(), "the second successor ends")
    assert not (server.folder / "the.pid").exists()


def test_it_is_started_in_the_folder_and_with_the_environment_that_the_first_was_started_with(serve, renew, tmp_path):
    server = serve(app="movers:app")
    renew(server)
    server.ended()
    assert server.get("/where")[1] == f"{tmp_path} unset"


def test_a_kept_alive_connection_is_served_once_more_and_told_that_it_was_the_last(serve, renew):
    server = serve()
    connection = server.connect()
    connection.request("GET", "/pid")
    connection.getresponse().read()
    successor = renew(server)
    connection.request("GET", "/pid")
    response = connection.getresponse()
    assert response.read().decode() == str(server.process.pid)
    assert response.headers["Connection"] == "close"
    connection.request("GET", "/pid")  # on a new connection
    assert connection.getresponse().read().decode() == str(successor)
    connection.close()
    assert server.ended() == 0


def test_health_is_not_lost_for_a_moment(serve, renew):
    server = serve()
    connection = server.connect()
    connection.request("GET", "/healthz")
    connection.getresponse().read()
    renew(server)
    connection.request("GET", "/healthz")  # of the old one
    assert connection.getresponse().status == 200
    connection.close()
    assert server.get("/healthz")[0].status == 200


def test_a_task_that_is_not_done_by_the_end_of_the_drain_is_done_by_the_successor_at_no_cost(serve, renew):
    server = serve("--drain", "0.5")
    napping = server.enqueue("nap", 3)
    server.marked("nap begins")
    (server.folder / "marks").unlink()
    renew(server)
    assert server.ended() == 0
    server.marked("nap begins")
    assert server.job(napping) == ["RUNNING", 1]


def test_a_task_that_asked_for_it_goes_on_in_the_successor_where_it_was(serve, renew):
    server = serve()
    crawling = server.enqueue("crawl", 1)
    server.marked("row 20")
    renew(server)
    assert server.ended() == 0
    until(lambda: server.job(crawling) == ["SUCCESSFUL", 1], "it is done")
    rows = (server.folder / "marks").read_text().split("\n")[:-1]
    assert rows == [f"row {number}" for number in range(100)]


BROKEN = {
    "that cannot be imported": ("raise ValueError('not today')", "ended with exit code 1"),
    "that ends": ("import sys; sys.exit(7)", "ended with exit code 7"),
    "that dies": ("import os; os.abort()", "died of signal 6"),
    "that takes too long": ("import time; time.sleep(3600)", "did not serve in time, and was killed"),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_deploy_of_an_app_is_survived(serve, renew, what):
    server = serve("--start-timeout", "2" if "long" in what else "60")
    source, how = BROKEN[what]
    stage = server.folder / "stage.py"
    sound = stage.read_text()
    stage.write_text(source)
    server.told(signal.SIGHUP)
    line = server.said("This process goes on; the reason stands above.")
    assert f" {how}. " in line
    assert server.get("/pid")[1] == str(server.process.pid)

    stage.write_text(sound)  # and the next one is taken
    successor = renew(server)
    assert server.ended() == 0
    assert server.get("/pid")[1] == str(successor)


def test_code_whose_jobs_are_elsewhere_does_not_take_over(serve):
    server = serve()
    napping = server.enqueue("nap", 3)
    stage = server.folder / "stage.py"
    stage.write_text(stage.read_text().replace("Greenroom()", "Greenroom('sqlite:///other.db')"))
    server.told(signal.SIGHUP)
    server.said("This process goes on; the reason stands above.")
    assert (
        f"greenroom serve: the jobs of this code are in sqlite:///{server.folder}/other.db, and those of process "
        f"{server.process.pid}, which it is to take over from, in sqlite:///{server.folder}/greenroom.db: nobody "
        "would run these any more. Name one place outside of the releases, such as "
        "Greenroom('sqlite:////srv/app/shared/greenroom.db'). If they are to be left behind, stop the one and start "
        "the other.\n"
    ) in server.stderr
    assert not (server.folder / "other.db").exists()
    until(lambda: server.job(napping) == ["SUCCESSFUL", 1], "it is done")


def test_the_same_file_by_another_name_is_the_same(serve, renew, tmp_path):
    server = serve()
    (tmp_path / "elsewhere").symlink_to(tmp_path)
    stage = server.folder / "stage.py"
    other = f"Greenroom('sqlite:///{tmp_path}/elsewhere/greenroom.db')"
    stage.write_text(stage.read_text().replace("Greenroom()", other))
    successor = renew(server)
    assert server.ended() == 0
    assert server.get("/pid")[1] == str(successor)


def test_a_stop_while_a_successor_starts_is_a_stop_of_both(serve):
    server = serve()
    (server.folder / "stage.py").write_text("import time; time.sleep(3600)")
    server.told(signal.SIGHUP)
    line = server.said("is started to take over")
    started = Process(int(line.split("process ")[1].split()[0]))
    server.told(signal.SIGTERM)
    assert server.ended() == 0
    until(lambda: not started.is_alive(), "the successor is gone too")


def test_a_unix_socket_stays_with_the_successor_and_goes_with_it(serve, renew, tmp_path):
    path = tmp_path / "app.sock"
    server = serve(bind=f"unix:{path}")
    successor = renew(server)
    assert server.ended() == 0
    with socket.socket(socket.AF_UNIX) as visitor:
        visitor.settimeout(PATIENCE)
        visitor.connect(str(path))
        visitor.sendall(b"GET /pid HTTP/1.0\r\n\r\n")
        answer = b""
        while data := visitor.recv(4096):
            answer += data
    assert answer.endswith(str(successor).encode())
    os.kill(successor, signal.SIGTERM)
    until(lambda: not path.exists(), "the socket's file is removed")


def test_a_unix_socket_survives_a_broken_deploy(serve, tmp_path):
    path = tmp_path / "app.sock"
    server = serve(bind=f"unix:{path}")
    (server.folder / "stage.py").write_text("raise ValueError")
    server.told(signal.SIGHUP)
    server.said("This process goes on")
    assert path.exists()


@pytest.mark.parametrize("number", [signal.SIGUSR1, signal.SIGUSR2, signal.SIGCHLD, signal.SIGPIPE])
def test_a_signal_that_means_nothing_ends_nothing(serve, number):
    server = serve()
    server.told(number)
    assert server.get("/hello")[1] == "hello"
    assert server.process.poll() is None
