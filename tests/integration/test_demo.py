"""The demo site, run as `make demo` runs it."""

import json
import os
import re
import socket
import subprocess
import sys
from io import BytesIO

import pytest
from PIL import Image

from tests.faults.served import ROOT, Served, free_port, wait_until

pytestmark = [pytest.mark.integration, pytest.mark.slow]

MESSAGE = {"name": "Ada", "email": "ada@example.org", "message": "Is there tea?"}


def demo(folder, *options):
    return Served("examples.site", *options, log=folder / "log", env={"GREENROOM_DEMO_DIR": str(folder / "var")})


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    with demo(tmp_path_factory.mktemp("demo")) as site:
        yield site


def counts(site):
    return json.loads(site.get("/board.json")[1])


def shows(site, path, text):
    return wait_until(lambda: text in site.get(path)[1], f"{path} to show {text!r}", lambda: site.get("/board")[1])


def a_picture(width, height, kind="PNG"):
    into = BytesIO()
    Image.new("RGB", (width, height), "teal").save(into, kind)
    return into.getvalue()


@pytest.mark.parametrize("page", ["/", "/contact/", "/pictures/", "/feed/", "/report/", "/board", "/static/live.js"])
def test_each_page_is_there(site, page):
    assert site.get(page)[0] == 200


def test_a_message_is_answered_at_once_and_arrives(site):
    status, page = site.post("/contact/", **MESSAGE)

    assert status == 200
    assert "Your message has been sent." in page
    shows(site, "/contact/mail", "A message from Ada")


def test_what_visitors_write_is_shown_as_text_and_not_as_markup(site):
    site.post("/contact/", name="Eve <b>", email="eve@example.org", message="<script>alert(1)</script>")

    shows(site, "/contact/mail", "&lt;script&gt;alert(1)&lt;/script&gt;")
    assert "<script>" not in site.get("/contact/mail")[1]


@pytest.mark.parametrize(
    ("fields", "answer"),
    [
        ({}, "Please fill in your name"),
        (MESSAGE | {"name": " "}, "Please fill in your name"),
        (MESSAGE | {"message": "x" * 10_001}, "Please keep it short"),
        (MESSAGE | {"email": "nobody"}, "not an address that we could answer to"),
        (MESSAGE | {"email": "ada@example.org\r\nBcc: all@example.org"}, "not an address that we could answer to"),
    ],
)
def test_a_form_that_cannot_be_sent_is_given_back_with_the_reason(site, fields, answer):
    before = sum(counts(site).values())

    status, page = site.post("/contact/", **fields)

    assert status == 400
    assert answer in page
    assert sum(counts(site).values()) == before


def test_a_sample_picture_gets_its_thumbnail(site):
    assert site.post("/pictures/sample")[0] == 200

    shows(site, "/pictures/gallery", "/thumbnails/")
    (thumbnail, *_) = re.findall(r'src="(/thumbnails/[^"]+)"', site.get("/pictures/gallery")[1])
    assert site.get(thumbnail)[0] == 200


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "WEBP"])
def test_an_uploaded_picture_is_taken(site, kind):
    status, page = site.upload("/pictures/", "picture", a_picture(300, 200, kind))

    assert status == 200
    assert "Your picture is here" in page


@pytest.mark.parametrize(
    ("content", "status", "answer"),
    [
        (b"", 400, "Choose a picture first."),
        (b"#!/bin/sh", 400, "That is not a picture that we can read."),
        (a_picture(6000, 6000), 400, "That picture is too large: 6000 by 6000 pixels."),
        (b"\0" * 8_000_001, 413, "That is too large: we take up to 8 MB."),
    ],
    ids=["nothing", "no picture", "too many pixels", "too many bytes"],
)
def test_a_bad_upload_is_told_why(site, content, status, answer):
    told, page = site.upload("/pictures/", "picture", content)

    assert told == status
    assert answer in page


def test_a_feed_is_fetched(site):
    site.post("/feed/", which="here")

    shows(site, "/feed/headlines", "Greenlet waits patiently, is resumed")


def test_a_feed_is_fetched_each_hour(site):
    shows(site, "/feed/headlines", "To be fetched each hour: next at ")


def test_a_feed_that_is_not_there_is_tried_three_times_and_given_up(site):
    site.post("/feed/", which="missing")

    shows(site, "/board", "HTTP Error 404")
    assert "attempt 3" in site.get("/board")[1]


def test_a_feed_of_the_visitors_choice_is_refused(site):
    assert site.post("/feed/", which="http://example.org/")[0] == 400


def test_a_report_says_how_far_it_is_and_is_shown_when_made(site):
    site.post("/report/", ndays=5)

    shows(site, "/board", "<progress")
    shows(site, "/report/latest", "day 5")


def test_nothing_is_lost_when_it_is_killed_and_started_again(tmp_path):
    with demo(tmp_path) as site:
        site.post("/contact/", later="yes", **MESSAGE)
        site.post("/contact/", **MESSAGE)
        site.post("/report/", ndays=4)
        shows(site, "/board", "day 1 of 4")
        site.kill()

        site.start()
        site.wait_until_healthy()
        shows(site, "/contact/mail", "A message from Ada")
        shows(site, "/report/latest", "day 4")

        assert counts(site) == {"queued": 1, "running": 0, "done": 2, "failed": 0, "cancelled": 0}
        assert "attempt 2" in site.get("/board")[1]


def test_the_mail_server_ends_with_the_site_however_that_ends(tmp_path):
    port = free_port()

    def is_away():
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) != 0

    with demo(tmp_path, "--smtp-port", str(port)) as site:
        assert not is_away()
        site.kill()
        wait_until(is_away, "the mail server to end")

        site.start()
        site.wait_until_healthy()
        assert not is_away()
        assert site.stop() == 0
        wait_until(is_away, "the mail server to end")


def test_a_mail_port_that_is_taken_is_told(tmp_path):
    env = {**os.environ, "GREENROOM_DEMO_DIR": str(tmp_path)}
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = subprocess.run(
            [sys.executable, "-m", "examples.site", "--smtp-port", str(port)],
            cwd=ROOT,
            env=env,
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )

    assert ended.returncode == 1
    assert f"cannot have port {port}: Address already in use" in ended.stderr
