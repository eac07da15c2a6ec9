"""The client of the isolation benchmark sees what a server that stands still does to all who come meanwhile."""

import shutil
import sys
from contextlib import ExitStack
from http.client import HTTPConnection
from pathlib import Path
from time import monotonic, sleep

import pytest

from benchmarks import client
from benchmarks.server import first_request, free_port, running
from benchmarks.side import Plan

pytestmark = [pytest.mark.integration, pytest.mark.slow]

SECONDS = 1.5
FREEZE = 0.3  # 60 requests are due in it, of which 50 wait for more than 50 ms
LATE = 0.05
MIDDLE = round(client.RATE * (client.LEAD + SECONDS / 2))

needs_a_compiler = pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler")


@pytest.fixture(params=[pytest.param("c", marks=needs_a_compiler), "python"])
def folder(request, tmp_path, monkeypatch):
    """Where the client was built, or not."""
    if request.param == "python":
        monkeypatch.setenv(client.CHOICE, "python")
    assert (client.build(tmp_path) is not None) == (request.param == "c")
    return tmp_path


@pytest.fixture
def freezing(tmp_path):
    """Start a server that stands still for FREEZE at its nth request."""

    def start(nth):
        port = free_port()
        program = str(Path(__file__).with_name("freezing.py"))
        server = running(Plan(directory=str(tmp_path)), (sys.executable, program, str(port), str(nth), str(FREEZE)))
        first_request([servers.enter_context(server)], port)
        return port

    with ExitStack() as servers:
        yield start


def late(latencies):
    return sum(latency > LATE for latency in latencies)


def test_all_who_were_due_while_the_server_stood_still_are_late(folder, freezing):
    port = freezing(MIDDLE)
    seen = client.visit(folder, port, SECONDS)
    figures = seen.figures(SECONDS)
    assert figures["requests"] == client.RATE * SECONDS
    assert figures["unanswered"] == 0
    assert FREEZE * 0.98 <= figures["max"] < SECONDS
    assert figures["p99"] >= FREEZE * 0.9
    assert late(seen.latencies) >= 45


def test_the_same_test_fails_a_client_that_waits_for_each_answer(freezing):
    port = freezing(MIDDLE)
    latencies = closed_loop(port, client.LEAD + SECONDS)
    assert max(latencies) >= FREEZE * 0.98
    assert late(latencies) < 20


def test_what_is_not_answered_counts_as_late_as_the_measurement_lasted():
    seen = client.Seen(latencies=[0.001] * 97, own=[], unanswered=2, failed=1)
    figures = seen.figures(4.0)
    assert (figures["p50"], figures["p99"], figures["max"]) == (0.001, 4.0, 4.0)
    assert (figures["requests"], figures["unanswered"]) == (100, 3)


def test_a_server_that_does_not_come_back_leaves_requests_unanswered(folder, freezing, monkeypatch):
    monkeypatch.setattr(client, "GRACE", 0.0)
    port = freezing(round(client.RATE * (client.LEAD + 0.6)))
    seen = client.visit(folder, port, 0.7)
    assert 15 <= seen.unanswered <= 25
    assert seen.figures(0.7)["max"] >= 0.7


def test_a_server_that_is_gone_fails_all_of_them(folder):
    seen = client.visit(folder, free_port(), 0.5)
    assert seen.failed + seen.unanswered == client.RATE * 0.5
    assert seen.figures(0.5)["p50"] >= 0.5


def closed_loop(port, seconds):
    connection, latencies, end = HTTPConnection("127.0.0.1", port, timeout=10), [], monotonic() + seconds
    while (asked := monotonic()) < end:
        connection.request("GET", "/")
        connection.getresponse().read()
        latencies.append(monotonic() - asked)
        sleep(max(0.0, 1 / client.RATE - latencies[-1]))
    connection.close()
    return latencies
