"""The contact form of the README, in examples/contact, run as the README says."""

import shutil

import pytest

from examples.site.postbox import Postbox, letters
from tests.faults.served import ROOT, Served, wait_until

pytestmark = [pytest.mark.integration, pytest.mark.slow]

MESSAGE = {"name": "Grace", "email": "grace@example.org", "message": "Ships are safe in harbour."}


@pytest.fixture
def folder(tmp_path):
    shutil.copy(ROOT / "examples/contact/app.py", tmp_path)
    return tmp_path


@pytest.fixture
def postbox(folder):
    postbox = Postbox.open(folder / "mail")
    yield postbox
    postbox.close()


def served(folder, *, smtp_port):
    command = ("greenroom", "serve", "app:app")
    return Served(*command, folder=folder, log=folder / "log", env={"SMTP_PORT": str(smtp_port)})


def test_the_form_of_the_readme_sends_its_mail(folder, postbox):
    with served(folder, smtp_port=postbox.port) as site:
        assert "<form" in site.get("/")[1]
        assert site.post("/contact/", **MESSAGE)[0] == 200
        assert site.post("/contact/", name="nobody")[0] == 400
        wait_until(lambda: letters(folder / "mail"), "the mail", site.trace)
        assert site.stop() == 0

    (letter,) = letters(folder / "mail")
    assert letter["Subject"] == "A message from Grace <grace@example.org>"
    assert letter.get_content().strip() == MESSAGE["message"]
    assert (folder / "greenroom.db").exists()


def test_its_mail_waits_for_a_mail_server_that_is_away(folder):
    with served(folder, smtp_port=9) as site:
        assert site.post("/contact/", **MESSAGE)[0] == 200
        site.kill()

    postbox = Postbox.open(folder / "mail")
    try:
        with served(folder, smtp_port=postbox.port) as site:
            wait_until(lambda: letters(folder / "mail"), "the mail", site.trace)
    finally:
        postbox.close()
