from functools import partial
from itertools import count

import pytest
from holders import HOLDS, ProcessThatHolds, ThreadThatHolds

from greenroom.stores import SqliteStore
from greenroom.testing import HubSuite, StallSuite, StoreSuite, store_machine


class OnAFile:
    @pytest.fixture
    def path(self, tmp_path):
        return tmp_path / "jobs.db"

    @pytest.fixture
    def make_store(self, clock, path):
        return partial(SqliteStore, path, clock=clock)


class TestSqliteStore(OnAFile, StoreSuite):
    pass


class TestSqliteHub(OnAFile, HubSuite):
    pass


@pytest.mark.parametrize("holder", [ProcessThatHolds, ThreadThatHolds])
@pytest.mark.parametrize("what", HOLDS)
class TestSqliteWaits(OnAFile, StallSuite):
    @pytest.fixture
    def hold(self, holder, what, path):
        return partial(holder, what, path)


def test_it_agrees_with_the_memory_store(tmp_path):
    numbers = count()

    def on_a_new_file(clock):
        path = tmp_path / f"{next(numbers)}.db"
        return partial(SqliteStore, path, clock=clock, durability="process")

    store_machine(on_a_new_file)().runTest()
