"""What a worker on the file cannot tell another, who is not known yet, or as it is gone: that one learns of it."""

from contextlib import ExitStack, closing

import gevent
import pytest

from greenroom.clock import ManualClock
from greenroom.outcome import Succeeded
from greenroom.stores import SqliteStore
from greenroom.testing import NOON, a_job
from greenroom.testing._hearing import Ear


@pytest.fixture
def make_store(tmp_path):
    """Makes workers, and closes them."""
    with ExitStack() as stack:

        def make(*, open_it=True):
            store = stack.enter_context(closing(SqliteStore(tmp_path / "jobs.db", clock=ManualClock())))
            if open_it:
                store.open()
            return store

        yield make


@pytest.fixture
def newcomer(make_store):
    return make_store(open_it=False)


@pytest.fixture
def ear(newcomer):
    return Ear(newcomer)


@pytest.fixture
def chatter(make_store):
    """Has a worker tell of jobs that it has done, several times a second."""
    store = make_store()

    def chat():
        while True:
            store.add([job := a_job().claimed(store.worker, NOON)])
            store.swap(job, job.after(Succeeded(1), NOON))
            gevent.sleep(0.1)

    greenlet = gevent.spawn(chat)
    yield
    greenlet.kill()


@pytest.mark.usefixtures("chatter")
def test_a_job_that_is_added_before_the_newcomer_is_known(make_store, newcomer, ear):
    first = make_store()
    porter = first._ledger.siblings._porter  # its event loop is late: who comes rings, and is not heard yet
    answer = porter.callback
    porter.stop()
    newcomer.open()
    first.add([a_job()])
    porter.start(answer)
    ear.until(lambda news: news.due is not None)


def test_what_a_worker_did_last_that_has_gone(make_store, newcomer, ear):
    newcomer.open()
    make_store().close()
    assert ear.until(lambda news: news.has_left).changed is None
