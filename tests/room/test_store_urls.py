"""Where a room's jobs live is said by a URL, and what is wrong with it is said plainly."""

import runpy
from pathlib import Path

import pytest

from greenroom import Greenroom, InvalidOption, StoreUnavailable


@pytest.mark.parametrize(
    "url", ["postgresql://localhost/jobs", "redis://localhost", "greenroom.db", "", "sqlite3:///x.db", "memory://x"]
)
def test_an_unknown_kind_is_refused_and_those_that_are_known_are_named(url):
    with pytest.raises(
        InvalidOption,
        match=r"is of no known kind: use sqlite:///greenroom\.db \(beside the app\), .* or memory://\.$",
    ):
        Greenroom(url)


def test_a_password_is_not_shown():
    with pytest.raises(InvalidOption) as refused:
        Greenroom("mysql://ada:s3cret@db.example.org/jobs")
    assert "'mysql://db.example.org/jobs'" in str(refused.value)
    assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///", "sqlite://greenroom.db"])
def test_a_url_that_names_no_file_is_refused_with_two_that_do(url):
    with pytest.raises(
        InvalidOption, match=r"names no file: use sqlite:///greenroom\.db .* or sqlite:////var/lib/app"
    ):
        Greenroom(url)


def test_a_folder_is_refused(tmp_path):
    room = Greenroom(f"sqlite:///{tmp_path}")
    with pytest.raises(InvalidOption, match=r"is a folder: name a file in it, such as greenroom\.db"):
        room.counts()


def test_a_folder_that_is_not_there_is_named(tmp_path):
    room = Greenroom(f"sqlite:///{tmp_path}/nowhere/greenroom.db")
    with pytest.raises(StoreUnavailable, match=f"there is no folder {tmp_path}/nowhere. Make it, or name another"):
        room.counts()


def test_a_refused_room_can_be_asked_again_when_the_folder_is_there(tmp_path):
    room = Greenroom(f"sqlite:///{tmp_path}/soon/greenroom.db")
    with pytest.raises(StoreUnavailable):
        room.start()
    assert room.is_started is False
    (tmp_path / "soon").mkdir()
    room.start()
    room.stop()


def test_what_is_no_database_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("not a database " * 100)
    room = Greenroom(f"sqlite:///{tmp_path}/notes.txt")
    with pytest.raises(StoreUnavailable, match="It is some other file: name another, or move it away"):
        room.start()
    assert (tmp_path / "notes.txt").read_text() == "not a database " * 100


def made_in(file, url):
    """The room that a module makes, whose file this is."""
    file.parent.mkdir(exist_ok=True)
    file.write_text(f"from greenroom import Greenroom\nroom = Greenroom({url!r})\n")
    return runpy.run_path(str(file))["room"]


def test_a_relative_path_is_taken_from_the_file_that_makes_the_room(tmp_path, monkeypatch):
    monkeypatch.chdir("/")
    room = made_in(tmp_path / "site" / "app.py", "sqlite:///jobs.db")
    assert room.url == f"sqlite:///{tmp_path}/site/jobs.db"


def test_so_it_is_without_any_url(tmp_path, monkeypatch):
    monkeypatch.chdir("/")
    assert made_in(tmp_path / "app.py", "sqlite:///greenroom.db").url == f"sqlite:///{tmp_path}/greenroom.db"


def test_an_absolute_path_is_taken_as_it_is(tmp_path):
    room = made_in(tmp_path / "app.py", "sqlite:////var/lib/app/jobs.db")
    assert room.url == "sqlite:////var/lib/app/jobs.db"


def test_without_a_file_it_is_taken_from_the_working_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    scope = {}
    exec("from greenroom import Greenroom\nroom = Greenroom()", scope)
    assert scope["room"].url == f"sqlite:///{Path.cwd()}/greenroom.db"


def test_memory_needs_no_more_to_be_said():
    assert Greenroom("memory://").url == "memory://"


def test_a_durability_that_there_is_not_is_refused(tmp_path):
    with pytest.raises(InvalidOption, match="durability='maybe' is not known"):
        Greenroom(f"sqlite:///{tmp_path}/greenroom.db", durability="maybe")
