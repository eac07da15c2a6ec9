"""Each snippet of the founding text, run as it is written in examples/founding, by `greenroom serve`."""

import json
import shutil
import time

import pytest
from PIL import Image

from examples.site.postbox import Postbox, letters
from tests.faults.served import ROOT, Served, wait_until

pytestmark = [pytest.mark.integration, pytest.mark.slow]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The example, in a folder of its own: what it leaves beside itself does not stay."""
    folder = tmp_path_factory.mktemp("founding")
    shutil.copy(ROOT / "examples/founding/app.py", folder)
    return folder


@pytest.fixture(scope="module")
def mail(folder):
    postbox = Postbox.open(folder / "mail")
    yield postbox
    postbox.close()


@pytest.fixture(scope="module")
def site(folder, mail):
    env = {"SMTP_PORT": str(mail.port)}
    with Served("greenroom", "serve", "app:app", folder=folder, log=folder / "log", env=env) as site:
        yield site


def result(site, number):
    return json.loads(site.get(f"/result/{number}")[1])


def finished(site, answer):
    """What became of the job whose id was answered."""
    number = json.loads(answer)["id"]
    wait_until(lambda: result(site, number)["status"] in ("SUCCESSFUL", "FAILED"), f"job {number}", site.trace)
    return result(site, number)


def test_a_contact_form_is_answered_and_its_mail_arrives(site, folder):
    status, page = site.post("/contact/", name="Ada", email="ada@example.org", message="Is anybody there?")

    assert status == 200
    assert "Your message has been sent" in page
    wait_until(lambda: letters(folder / "mail"), "the mail", site.trace)
    (letter,) = letters(folder / "mail")
    assert letter["Subject"] == "Ada <ada@example.org> wrote"
    assert letter.get_content().strip() == "Is anybody there?"


def test_a_spawned_call_runs_now_and_a_later_one_later(site):
    begun = time.monotonic()
    site.post("/hit/", seconds=1)

    wait_until(lambda: "now" in site.get("/hits/")[1], "the call that was spawned", site.trace)
    early = json.loads(site.get("/hits/")[1])
    wait_until(lambda: len(json.loads(site.get("/hits/")[1])) == 3, "the calls for later", site.trace)
    hits = json.loads(site.get("/hits/")[1])

    assert early == {"now": 1}
    assert hits == {"now": 1, "some arg, another arg, foo=True": 1, "reminded of some arg": 1}
    assert time.monotonic() - begun >= 1


def test_a_report_that_yields_lets_requests_in_while_it_is_made(site):
    _, answer = site.post("/report/", ndays=30)
    number = json.loads(answer)["id"]

    looks = []

    def has_ended():
        looks.append(result(site, number))
        return looks[-1]["status"] in ("SUCCESSFUL", "FAILED")

    wait_until(has_ended, "the report", site.trace)
    assert [look["status"] for look in looks].count("RUNNING") >= 3, "requests waited for the report to be made"
    rows = looks[-1]["return_value"]
    assert len(rows) == 30 * 200
    assert rows[0] == ["2017-10-02", sum(range(20_000)) % 1000]


def test_a_thumbnail_is_made_when_the_loop_is_idle(site, folder):
    Image.new("RGB", (800, 400), "orange").save(folder / "cat.jpg")

    _, answer = site.post("/thumbnail/")

    assert finished(site, answer)["status"] == "SUCCESSFUL"
    with Image.open(folder / "small-cat.jpg") as small:
        assert small.size == (200, 100)


def test_a_result_that_is_not_there_is_not_found(site):
    assert site.get("/result/nonsense")[0] == 404
