"""Bugs planted one by one in the SQLite store: each must be caught in the steps that the store itself has to pass."""

from functools import partial
from itertools import count

import pytest
from hypothesis import Phase, settings

from greenroom.stores import SqliteStore, _ledger, _marks, _rows, sqlite
from greenroom.stores._ledger import Ledger
from greenroom.testing import store_machine


def on_new_files_in(folder):
    numbers = count()

    def on_a_new_file(clock):
        path = folder / f"{next(numbers)}.db"
        return partial(SqliteStore, path, clock=clock, durability="process")

    return on_a_new_file


@pytest.fixture
def plant(monkeypatch):
    """What puts one text for another in a statement of the SQLite store."""
    sound = _rows.sql
    changes = {}

    def planted_sql(verb):
        old, new = changes.get(verb, ("", ""))
        return sound(verb).replace(old, new)

    def plant_it(verb, old, new):
        assert old in sound(verb), f"{verb}.sql does not say {old!r} any more"
        changes[verb] = old, new

    for module in (_rows, _ledger, _marks, sqlite):
        monkeypatch.setattr(module, "sql", planted_sql)
    _rows.sql_of_rows.cache_clear()
    yield plant_it
    _rows.sql_of_rows.cache_clear()


@pytest.fixture
def machine(tmp_path):
    """The store machine on the SQLite store, content with the first thing it finds."""
    case = store_machine(on_new_files_in(tmp_path), steps=20_000)
    case.settings = settings(case.settings, phases=[Phase.generate], database=None, derandomize=True)
    return case()


def test_without_a_planted_bug_it_passes(plant, tmp_path):
    store_machine(on_new_files_in(tmp_path), steps=500)().runTest()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("verb", "old", "new"),
    [
        pytest.param("swap", "AND job.version = new.old_version", "", id="swap ignores the version"),
        pytest.param("swap", "finished_at = new.finished_at,", "", id="swap leaves out when it finished"),
        pytest.param("claim", "AND lane = :lane", "", id="claim ignores the lane"),
        pytest.param("claim", "ORDER BY priority DESC, id", "ORDER BY id", id="claim ignores the priority"),
        pytest.param("claim", "note = NULL", "note = note", id="claim keeps the note"),
        pytest.param("claim", "state = 0", "state <= 0", id="claim takes suspects too"),
        pytest.param("claim_suspect", "AND run_after <= :now", "", id="suspects are taken too early"),
        pytest.param("claim_suspect", "ORDER BY run_after, id", "ORDER BY id", id="suspects are taken in any order"),
        pytest.param("next_suspect", "ORDER BY run_after", "ORDER BY id", id="next_suspect is not the earliest"),
        pytest.param("find_crashed", "WHERE crashes > 0", "WHERE crashes > 1", id="one crash is not found"),
        pytest.param("promote", "run_after <= :until", "run_after < :until", id="promote is late by one"),
        pytest.param("next_due", "ORDER BY run_after", "ORDER BY id", id="next_due is not the earliest"),
        pytest.param("insert", "INSERT", "INSERT OR IGNORE", id="a second job of one id is dropped in silence"),
        pytest.param("insert_fresh", "INSERT", "INSERT OR IGNORE", id="so is a second one that is new"),
        pytest.param("write", "<> wanted.old_version", "< wanted.old_version", id="success ignores the version"),
        pytest.param("mark", "AND course = :old_course", "", id="a mark is moved from what it is not"),
        pytest.param("mark_new", "DO NOTHING", "DO UPDATE SET slot = excluded.slot", id="a mark is added twice"),
        pytest.param("prunable", "ORDER BY id", "ORDER BY id DESC", id="prune takes the newest first"),
        pytest.param("expired", "OR worker NOT IN", "AND worker NOT IN", id="a closed worker's jobs are lost"),
    ],
)
def test_a_bug_in_a_statement_is_caught(plant, machine, verb, old, new):
    plant(verb, old, new)
    with pytest.raises(AssertionError):
        machine.runTest()


def test_a_store_that_skips_the_fence_is_caught(plant, machine, monkeypatch):
    monkeypatch.setattr(Ledger, "_fence", lambda *_: None)
    with pytest.raises(AssertionError):
        machine.runTest()


def test_a_store_that_never_lets_a_lease_run_out_is_caught(plant, machine, monkeypatch):
    sound = Ledger.expired
    monkeypatch.setattr(Ledger, "expired", lambda ledger, _, limit: sound(ledger, 0, limit))
    with pytest.raises(AssertionError):
        machine.runTest()


def test_a_store_that_lets_both_of_two_swaps_win_is_caught(plant, machine, monkeypatch):
    def with_twins(requests):
        return [[(request, old, new) for request in requests for old, new in request.changes]]

    monkeypatch.setattr(_ledger, "without_twins", with_twins)
    with pytest.raises(AssertionError):
        machine.runTest()
