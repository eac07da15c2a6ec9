"""A site whose disk fills up, or whose database is taken away: it serves on, says what is wrong, and gets well."""

import json
import os
import sys
import time

import pytest

from tests.faults.disks import SmallDisk
from tests.faults.served import Served, wait_until
from tests.faults.stored import Stored

pytestmark = [pytest.mark.integration, pytest.mark.slow]

APP = "tests.faults.soak_app:app"


@pytest.fixture
def disk(tmp_path):
    with SmallDisk(tmp_path / "disk", 16 << 20) as disk:
        yield disk


@pytest.fixture
def serve(tmp_path):
    """Serves the app, with its database at this path."""
    made = []

    def start(database):
        site = Served("greenroom", "serve", APP, log=tmp_path / "log", env={"SOAK_DATABASE": str(database)})
        made.append(site)
        site.start()
        site.wait_until_healthy()
        return site

    yield start
    for site in made:
        site.close()


def health(site):
    status, text = site.get("/healthz")
    return status, json.loads(text).get("trouble", "")


def enqueue(site):
    """Whether it was acknowledged."""
    return site.get("/?7")[0] == 200


def test_a_full_disk_is_survived_and_got_over(serve, disk):
    site = serve(disk.folder / "jobs.db")
    acknowledged = sum(enqueue(site) for _ in range(20))
    assert acknowledged == 20
    disk.fill()
    refused = 0
    while not refused:
        is_stored = enqueue(site)
        acknowledged, refused = acknowledged + is_stored, refused + (not is_stored)
    wait_until(lambda: health(site)[0] == 503, "/healthz to tell of it")
    assert "Make room on the disk" in health(site)[1]
    assert site.get("/census")[0] == 200, "the web stays up"
    began = time.monotonic()
    assert not enqueue(site)
    disk.empty()
    wait_until(lambda: health(site)[0] == 200, "it to get well by itself", site.trace)
    healed = time.monotonic() - began
    assert enqueue(site)
    acknowledged += 1
    assert site.stop() == 0
    rows = Stored.of(disk.folder / "jobs.db").rows.values()
    assert len(rows) >= acknowledged
    assert all(row.is_finished for row in rows)
    sys.stdout.write(
        f"disk full: {acknowledged} acknowledged, 0 lost, {refused + 1} refused with StoreFull, web up throughout, "
        f"well again in {healed:.1f} s after there was room\n"
    )


def test_a_database_that_is_deleted_is_told_before_anything_is_acknowledged(serve, tmp_path):
    (tmp_path / "data").mkdir()
    site = serve(tmp_path / "data" / "jobs.db")
    assert enqueue(site)
    os.rename(tmp_path / "data", tmp_path / "moved")  # noqa: PTH104  (as an operator does it)
    began = time.monotonic()
    assert not enqueue(site)
    told = time.monotonic() - began
    assert health(site)[0] == 503
    assert "deleted, moved or replaced" in health(site)[1]
    assert site.get("/census")[0] == 200
    os.rename(tmp_path / "moved", tmp_path / "data")  # noqa: PTH104
    wait_until(lambda: health(site)[0] == 200, "it to get well by itself", site.trace)
    assert enqueue(site)
    assert site.stop() == 0
    sys.stdout.write(
        f"file taken away: 0 acknowledged after it, told in {told * 1000:.0f} ms, well again when it was back\n"
    )
