"""How `greenroom serve` ends: requests and tasks finish, or are given back; nothing is lost."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from apps.served import PATIENCE, until

from greenroom import Status

pytestmark = [pytest.mark.integration, pytest.mark.slow]


class Asked(threading.Thread):
    """A request on its way, in a thread."""

    def __init__(self, server, path):
        super().__init__()
        self._server = server
        self._path = path
        self.response = None
        self.start()

    def run(self):
        self.response, self.body = self._server.get(self._path)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_at_once_when_nothing_is_under_way(serve, number):
    server = serve()
    server.told(number)
    assert server.ended(5) == 0
    server.said(f"greenroom: {number.name}: ending within 30 s, or at once if told again")
    assert "Traceback" not in server.stderr


def test_a_request_in_flight_is_answered(serve):
    server = serve()
    asked = Asked(server, "/slow?seconds=1")
    server.marked("slow begins")
    server.told()
    assert server.ended() == 0
    asked.join()
    assert (asked.response.status, asked.body) == (200, "at last")
    assert asked.response.headers["Connection"] == "close"


def test_nobody_can_connect_while_it_drains(serve):
    server = serve()
    asked = Asked(server, "/slow?seconds=1")
    server.marked("slow begins")
    server.told()
    server.said("SIGTERM")

    def is_refused():
        try:
            server.get("/hello")
        except OSError:
            return True
        return False

    until(is_refused, "connections are refused")
    assert server.process.poll() is None
    asked.join()
    assert asked.response.status == 200


def test_a_request_that_does_not_end_in_time_is_cut_off(serve):
    server = serve("--drain", "0.3")
    asked = Asked(server, "/slow?seconds=30")
    server.marked("slow begins")
    server.told()
    assert server.ended() == 0
    asked.join()
    assert asked.response.status == 500
    server.said("(GET /slow?seconds=30) was cut off before it had ended")


def test_a_task_in_flight_is_finished(serve, stored):
    server = serve()
    napping = server.enqueue("nap", 1)
    server.marked("nap begins")
    server.told()
    assert server.ended() == 0
    assert stored(napping) == (Status.SUCCESSFUL, 1)


def test_a_task_that_does_not_end_in_time_is_given_back_at_no_cost(serve, stored):
    server = serve("--drain", "0.3")
    napping = server.enqueue("nap", 30)
    server.marked("nap begins")
    server.told()
    assert server.ended(5) == 0
    assert stored(napping) == (Status.READY, 0)

    (server.folder / "marks").unlink()
    again = serve()
    again.marked("nap begins")
    assert again.job(napping) == ["RUNNING", 1]


def test_a_second_signal_gives_back_everything_at_once(serve, stored):
    server = serve()
    napping = server.enqueue("nap", 30)
    server.marked("nap begins")
    asked = Asked(server, "/slow?seconds=30")
    server.marked("slow begins")
    server.told(signal.SIGTERM)
    server.said("greenroom: SIGTERM: ending within 30 s")
    assert server.process.poll() is None

    server.told(signal.SIGINT)
    assert server.ended(5) == 0
    server.said("greenroom: SIGINT: ending now")
    assert stored(napping) == (Status.READY, 0)
    asked.join()
    assert asked.response.status == 500


def test_requests_and_tasks_drain_side_by_side(serve, stored):
    server = serve("--drain", "2")
    napping = server.enqueue("nap", 1.5)
    server.marked("nap begins")
    asked = Asked(server, "/slow?seconds=1.5")
    server.marked("slow begins")
    server.told()
    assert server.ended() == 0
    asked.join()
    assert asked.response.status == 200
    assert stored(napping) == (Status.SUCCESSFUL, 1)


def test_an_idle_kept_alive_connection_does_not_hold_it_up(serve):
    server = serve()
    connections = [server.connect() for _ in range(3)]
    for connection in connections:
        connection.request("GET", "/hello")
        connection.getresponse().read()
    connections.append(server.connect())
    connections[-1].connect()  # and this one has never asked for anything

    server.told()
    assert server.ended(5) == 0
    for connection in connections:
        connection.close()


def test_a_request_that_arrived_while_the_loop_was_blocked_is_still_answered(serve):
    server = serve()
    connection = server.connect()
    connection.request("GET", "/hello")
    connection.getresponse().read()
    server.enqueue("spin", 1)
    server.marked("spin begins")
    connection.request("GET", "/healthz")  # on an idle connection,
    fresh = Asked(server, "/hello")  # and on a new one
    time.sleep(0.2)  # until what was sent has reached the server, which cannot say so
    server.told()

    assert server.ended() == 0
    told = connection.getresponse()
    assert (told.status, told.read()) == (503, b'{"status": "draining"}')
    connection.close()
    fresh.join()
    assert fresh.response.status == 200


def test_what_a_late_request_enqueues_is_kept(serve, stored):
    server = serve()
    asked = Asked(server, "/slow?seconds=1&then=nap")
    server.marked("slow begins")
    server.told()
    assert server.ended() == 0
    asked.join()
    assert stored(asked.body) == (Status.READY, 0)
    assert list((server.folder / "greenroom.db.workers").iterdir()) == []  # and the store was closed after it


def test_a_signal_is_noted_while_a_task_blocks_the_loop(serve, stored):
    server = serve()
    spinning = server.enqueue("spin", 2)
    server.marked("spin begins")
    began = time.monotonic()
    server.told()
    server.said("greenroom: SIGTERM: ending")
    noted = time.monotonic() - began
    assert server.ended(PATIENCE) == 0
    assert noted < 1.5
    assert stored(spinning) == (Status.SUCCESSFUL, 1)


def test_a_task_that_blocks_the_loop_for_ever_is_named_and_ended_at_no_cost_to_it(serve, stored):
    server = serve("--drain", "0")
    spinning = server.enqueue("spin", 3600)
    server.marked("spin begins")
    server.told()
    assert server.ended() == 1
    assert 'stage.py", line ' in server.stderr
    assert " in spin" in server.stderr
    assert stored(spinning) == (Status.READY, 0)


def test_so_is_one_that_waits_in_c(serve, stored):
    server = serve("--drain", "0")
    holding = server.enqueue("hold", 3600)
    server.marked("hold begins")
    began = time.monotonic()
    server.told()
    assert server.ended() == 1
    sys.stdout.write(f"SIGTERM to exit with a blocked loop: drain + {time.monotonic() - began:.2f} s\n")
    assert " in hold" in server.stderr
    assert stored(holding) == (Status.READY, 0)


def test_a_task_that_was_under_way_in_a_killed_process_runs_again(serve):
    server = serve()
    napping = server.enqueue("nap", 1)
    server.marked("nap begins")
    server.told(signal.SIGKILL)
    server.ended()

    again = serve()
    again.marked("nap ends")
    until(lambda: again.job(napping) == ["SUCCESSFUL", 2], "the second attempt is stored")


def test_a_containers_first_process_can_be_told_to_end_while_the_app_loads(tmp_path):
    alone = ["unshare", "--user", "--map-root-user", "--pid", "--fork", "--kill-child", "--mount-proc"]
    if (
        shutil.which("unshare") is None
        or subprocess.run([*alone, "true"], capture_output=True, check=False).returncode
    ):
        pytest.skip("this system does not let us be the first process of anything")
    (tmp_path / "slow.py").write_text("import time\nopen('loading', 'w').close()\ntime.sleep(3600)\n")
    command = [*alone, sys.executable, "-m", "greenroom", "serve", "slow:app"]
    with subprocess.Popen(command, cwd=tmp_path) as container:
        until((tmp_path / "loading").exists, "the app loads")
        (first,) = Path(f"/proc/{container.pid}/task/{container.pid}/children").read_text().split()
        os.kill(int(first), signal.SIGTERM)
        try:
            assert container.wait(PATIENCE) == 128 + signal.SIGTERM
        finally:
            container.kill()
