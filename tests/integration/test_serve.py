"""What `greenroom serve` does while it serves."""

import http.client
import json
import re
import socket
import sqlite3
import stat
import time

import pytest
from apps.served import Served, until

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A server with default options that tests share, as long as they leave it as it was."""
    server = Served(tmp_path_factory.mktemp("site"))
    yield server
    server.end()


def test_the_start_line_says_what_is_served_where_and_how(serve, tmp_path):
    server = serve("--drain", "7")
    assert re.fullmatch(
        rf"greenroom: serving stage:app at http://127\.0\.0\.1:{server.port} "
        rf"\(store sqlite:///{tmp_path}/greenroom\.db, lanes greenlet=100 (\w+=\d+ )*idle=4( \w+=\d+)*, drain 7 s, "
        rf"pid {server.process.pid}\)",
        server.start_line,
    )


def test_the_app_answers(site):
    response, body = site.get("/hello")
    assert (response.status, body) == (200, "hello")


def test_answers_on_a_kept_alive_connection_are_not_held_back(site):
    connection = site.connect()
    began = time.monotonic()
    for _ in range(50):
        connection.request("GET", "/hello")
        connection.getresponse().read()
    connection.close()
    assert time.monotonic() - began < 50 * 0.040  # what each takes with Nagle's algorithm


def test_no_answer_tells_a_version(site):
    for path in ("/hello", "/nothing", "/boom", "/healthz"):
        response, body = site.get(path)
        assert "Server" not in response.headers
        assert "gevent" not in f"{response.headers}{body}".lower()


def test_healthz_is_ok(site):
    response, body = site.get("/healthz")
    assert (response.status, json.loads(body)) == (200, {"status": "ok"})
    assert response.headers["Content-Type"] == "application/json"
    assert response.headers["Cache-Control"] == "no-store"


def test_healthz_is_for_get_and_head_alone(site):
    head, nothing = site.ask("HEAD", "/healthz")
    assert (head.status, nothing) == (200, "")
    refused, _ = site.ask("POST", "/healthz")
    assert (refused.status, refused.headers["Allow"]) == (405, "GET, HEAD")


def test_healthz_can_be_left_to_the_app(serve):
    _, body = serve("--no-healthz").get("/healthz")
    assert body == "the app's own"


def test_healthz_tells_of_trouble_while_it_lasts(serve, tmp_path):
    server = serve()
    server.enqueue("nap", 0, after=0.1)
    database = sqlite3.connect(tmp_path / "greenroom.db", isolation_level=None)
    database.execute("ALTER TABLE job RENAME TO hidden")

    until(lambda: server.get("/healthz")[0].status == 503, "degraded")
    told = json.loads(server.get("/healthz")[1])
    assert told["status"] == "degraded"
    assert "no such table" in told["trouble"]

    database.execute("ALTER TABLE hidden RENAME TO job")
    database.close()
    until(lambda: server.get("/healthz")[0].status == 200, "ok again")


def test_a_request_id_comes_back_and_travels_into_the_task(site):
    response, body = site.get("/whose", X_Request_ID="from-the-proxy:17")
    assert response.headers["X-Request-ID"] == "from-the-proxy:17"
    assert body == "from-the-proxy:17 from-the-proxy:17"


def test_a_request_without_an_id_is_given_one(site):
    answers = [site.get("/whose") for _ in range(2)]
    ids = [response.headers["X-Request-ID"] for response, _ in answers]
    assert [body for _, body in answers] == [f"{id} {id}" for id in ids]
    assert len(set(ids)) == 2


def test_an_id_that_could_do_harm_is_replaced(site):
    for harmful in ("two words", "x" * 129, "<script>", "caf\xe9", ""):
        response, body = site.get("/whose", X_Request_ID=harmful)
        assert response.headers["X-Request-ID"] != harmful
        assert harmful == "" or harmful not in body


def test_a_request_finds_nothing_that_the_last_on_its_connection_left_behind(site):
    connection = site.connect()
    for _ in range(2):
        connection.request("GET", "/carry")
        assert json.loads(connection.getresponse().read()) == {}
    connection.close()


def test_an_error_of_the_app_is_logged_with_the_request_id_and_not_told(site):
    response, body = site.get("/boom", X_Request_ID="broken-1")
    assert (response.status, body) == (500, "Internal Server Error")
    assert response.headers["X-Request-ID"] == "broken-1"
    site.said("ERROR greenroom.server: request broken-1 (GET /boom) failed")
    site.said("ValueError: the page is broken")


def test_a_page_that_calls_exit_does_not_end_the_server(site):
    assert site.get("/leave")[0].status == 500
    assert site.get("/hello")[0].status == 200


def test_each_request_is_one_line_of_the_access_log(site):
    site.get("/hello?name=ada", X_Request_ID="ada-1")
    line = site.said("ada-1")
    assert 'INFO greenroom.access: 127.0.0.1 "GET /hello?name=ada HTTP/1.1" 200 ' in line


def test_what_a_client_sends_cannot_break_the_line_or_reach_the_terminal(site):
    with socket.create_connection(("127.0.0.1", site.port), timeout=10) as client:
        client.sendall(b'GET /\x1b[31m"\x9b\\\x00 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
        client.recv(1000)
    assert r'"GET /\x1b[31m\x22\x9b\\\x00 HTTP/1.1" 404' in site.said("x1b")


def test_a_request_that_makes_no_sense_is_refused_and_logged_without_a_traceback(serve):
    server = serve()
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as client:
        client.sendall(b"make me a\x1b sandwich\r\n\r\n")
        assert client.recv(1000).startswith(b"HTTP/1.1 400 ")
    server.said("INFO greenroom.server: bad request: ")
    server.said(r'"make me a\x1b sandwich" 400 0 ')
    assert "Traceback" not in server.stderr
    assert "\x1b" not in server.stderr


def test_the_access_log_can_be_left_out(serve):
    server = serve("--no-access-log")
    server.get("/hello")
    assert server.get("/boom")[0].status == 500
    server.said("(GET /boom) failed")
    assert "/hello" not in server.stderr


def test_the_log_level_is_given(serve):
    server = serve("--log-level", "error")
    server.get("/hello")
    server.get("/boom")
    server.said("(GET /boom) failed")
    assert "/hello" not in server.stderr


def test_a_unix_socket_is_for_its_group_and_goes_with_the_server(serve, tmp_path):
    path = tmp_path / "site.sock"
    server = serve(bind=f"unix:{path}")
    assert f"at unix:{path} " in server.start_line
    assert stat.S_IMODE(path.stat().st_mode) == 0o660
    assert hello_through(path) == "hello"

    server.told()
    assert server.ended() == 0
    assert not path.exists()


def test_a_unix_socket_that_a_killed_server_left_is_taken_over(serve, tmp_path):
    path = tmp_path / "site.sock"
    serve(bind=f"unix:{path}").end()
    assert path.exists()
    serve(bind=f"unix:{path}")
    assert hello_through(path) == "hello"


def hello_through(path):
    connection = http.client.HTTPConnection("site")
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.connect(str(path))
    connection.request("GET", "/hello")
    body = connection.getresponse().read().decode()
    connection.close()
    return body


def test_an_ipv6_address_is_served(serve):
    if not socket.has_ipv6 or not can_bind("::1"):
        pytest.skip("this machine has no ::1")
    server = serve(bind="[::1]:0")
    connection = http.client.HTTPConnection("::1", server.port, timeout=10)
    connection.request("GET", "/hello")
    assert connection.getresponse().read() == b"hello"
    connection.close()
    assert f"at http://[::1]:{server.port} " in server.start_line


def can_bind(host):
    with socket.socket(socket.AF_INET6) as trial:
        try:
            trial.bind((host, 0))
        except OSError:
            return False
    return True


def test_an_address_that_others_can_reach_is_remarked_upon(serve):
    serve(bind="0.0.0.0:0").said("can be reached from other machines: let a proxy that speaks TLS stand in front")


def test_a_factory_makes_the_app_and_the_app_knows_its_room(serve):
    server = serve(app="flasks:create_app()")
    _, body = server.get("/whose", X_Request_ID="made-1")
    assert body == "made-1"


def test_an_app_is_found_at_the_end_of_a_path_of_attributes(serve):
    _, body = serve(app="flasks:sites.main").get("/whose", X_Request_ID="main-1")
    assert body == "main-1"


def test_the_room_is_named(serve, tmp_path):
    server = serve("--room", "stage:room", app="flasks:create_app()")
    assert f"store sqlite:///{tmp_path}/greenroom.db" in server.start_line


def test_the_logging_of_the_app_is_used_where_it_has_made_arrangements(serve):
    server = serve(app="flasks:create_app()")
    server.get("/whose", X_Request_ID="logged-1")
    assert server.said("logged-1").startswith('MINE greenroom.access 127.0.0.1 "GET /whose HTTP/1.1" 200 ')
