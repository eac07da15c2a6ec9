import pytest

from greenroom.outcome import Succeeded
from greenroom.stores import MemoryStore
from greenroom.testing import HubSuite, StoreSuite, a_finished_job, store_machine


class TestMemoryStore(StoreSuite):
    @pytest.fixture
    def make_store(self, clock):
        return MemoryStore(clock=clock).sibling


class TestMemoryHub(HubSuite):
    @pytest.fixture
    def make_store(self, clock):
        return MemoryStore(clock=clock).sibling


TestMemoryAgrees = store_machine(lambda clock: MemoryStore(clock=clock).sibling)


@pytest.fixture
def small_store():
    store = MemoryStore(keep=3)
    store.open()
    return store


def test_of_the_finished_the_latest_are_kept(small_store):
    jobs = [a_finished_job() for _ in range(5)]
    small_store.add(jobs)
    assert small_store.find().jobs == jobs[:1:-1]


def test_what_was_run_again_counts_as_of_its_latest_end(small_store):
    jobs = [a_finished_job() for _ in range(3)]
    small_store.add(jobs)
    again = jobs[0].again(0)
    small_store.swap(jobs[0], again)
    small_store.swap(again, latest := again.after(Succeeded(None), 1))
    small_store.add([new := a_finished_job()])
    assert small_store.find().jobs == [new, jobs[2], latest]
