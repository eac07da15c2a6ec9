"""What `greenroom serve` makes of what holds its loop."""

import json

import pytest
from apps.served import until

pytestmark = pytest.mark.integration


@pytest.fixture
def held(serve):
    return serve(app="held:app")


def ask(server, path):
    response, body = server.get(path)
    assert response.status == 200
    return json.loads(body)


def test_healthz_tells_that_a_task_held_the_loop(held):
    assert held.get("/healthz")[0].status == 200
    ask(held, "/task?seconds=0.6")
    _, body = until(lambda: (got := held.get("/healthz"))[0].status == 503 and got, "degraded")
    told = json.loads(body)
    assert told["status"] == "degraded"
    assert told["trouble"].startswith("the event loop was held for 1 s by task held.hold_in_c (")
    held.said("the event loop was held for")


def test_a_request_that_holds_the_loop_is_named_without_what_was_asked(held):
    ask(held, "/page?seconds=0.3&secret=42")
    kind, name, advice = until(lambda: ask(held, "/blockers"), "blockers")[0]
    assert (kind, name) == ("request", "GET /page")
    assert advice == "move the work into a task: task.enqueue(...)"
    assert "secret" not in held.said("the event loop was held")


def test_a_request_that_computes_is_not_put_aside(held):
    ask(held, "/compute?seconds=1")
    assert until(lambda: ask(held, "/lag"), "lag") >= 0.9


def test_unless_that_is_asked_for(serve, monkeypatch):
    monkeypatch.setenv("PREEMPT_REQUESTS", "yes")
    server = serve(app="held:app")
    ask(server, "/compute?seconds=1")
    assert ask(server, "/lag") < 0.6


def test_idle_work_waits_until_no_request_is_in_flight(held):
    assert ask(held, "/tidy") == [[], 1]
    until(lambda: ask(held, "/seen")[0], "tidied up")
    assert ask(held, "/seen") == [["tidied up"], 1]
