import os

import pytest

from greenroom.stores import SqliteStore
from greenroom.stores._place import file_system_of
from greenroom.testing import a_job

MOUNTS = """\
22 1 259:1 / / rw,relatime shared:1 - ext4 /dev/root rw
31 22 0:27 / /srv/shared rw,relatime shared:9 - nfs4 files:/shared rw,vers=4.2
"""


def test_a_file_system_is_known_by_its_device():
    assert file_system_of(os.makedev(259, 1), MOUNTS) == "ext4"
    assert file_system_of(os.makedev(0, 27), MOUNTS) == "nfs4"
    assert file_system_of(os.makedev(8, 1), MOUNTS) is None


def test_a_file_on_another_machine_is_warned_of(tmp_path, monkeypatch, caplog):
    device = tmp_path.stat().st_dev
    mounts = tmp_path / "mounts"
    mounts.write_text(f"31 22 {os.major(device)}:{os.minor(device)} / / rw - nfs4 files:/ rw\n")
    monkeypatch.setattr("greenroom.stores._place._MOUNTS", mounts)
    store = SqliteStore(tmp_path / "jobs.db")
    store.open()
    store.close()
    (said,) = caplog.messages
    assert said == (
        f"sqlite:///{tmp_path}/jobs.db lies on nfs4: SQLite's locks do not work there between machines. "
        "Use a local disk."
    )


@pytest.mark.integration
def test_a_symbolic_link_is_the_file_that_it_leads_to(tmp_path):
    (tmp_path / "link.db").symlink_to(tmp_path / "jobs.db")
    stores = [SqliteStore(tmp_path / name) for name in ("jobs.db", "link.db")]
    for store in stores:
        store.open()
    stores[1].add([job := a_job()])
    assert stores[0].get(job.id) == job
    assert stores[0].url == stores[1].url
    for store in stores:
        store.close()
    assert not [file for file in tmp_path.iterdir() if file.name.startswith("link.db-")]


@pytest.mark.integration
def test_a_file_with_two_names_is_warned_of(tmp_path, caplog):
    store = SqliteStore(tmp_path / "jobs.db")
    store.open()
    store.close()
    assert not caplog.messages
    (tmp_path / "other.db").hardlink_to(tmp_path / "jobs.db")
    store.open()
    store.close()
    assert "has 2 names (hard links)" in caplog.messages[0]
