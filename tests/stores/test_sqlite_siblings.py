"""What a worker on the file cannot tell another, who is not known yet, or as it is gone: that one learns of it."""

from contextlib import ExitStack, closing

import gevent
import pytest
from gevent import Timeout
from gevent.queue import Queue

from greenroom.clock import ManualClock
from greenroom.outcome import Succeeded
from greenroom.stores import SqliteStore
from greenroom.testing import NOON, a_job

PATIENCE = 20.0  # less than the safety net of those who have been told nothing


@pytest.fixture
def make_store(tmp_path):
    """Makes workers that are open."""
    with ExitStack() as stack:

        def make(heard=None):
            store = stack.enter_context(closing(SqliteStore(tmp_path / "jobs.db", clock=ManualClock())))
            if heard is not None:
                store.listen(heard)
            store.open()
            return store

        yield make


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


def first_in(told, is_it):
    """The first news of that kind."""
    with Timeout(PATIENCE, AssertionError("not told of")):
        return next(news for news in iter(told.get, None) if is_it(news))


@pytest.mark.usefixtures("chatter")
def test_a_job_that_is_added_before_the_newcomer_is_known(make_store):
    first = make_store()
    porter = first._ledger.siblings._porter  # its event loop is late: who comes rings, and is not heard yet
    answer = porter.callback
    porter.stop()
    make_store((told := Queue()).put)
    first.add([a_job()])
    porter.start(answer)
    first_in(told, lambda news: news.due is not None)


def test_what_a_worker_did_last_that_has_gone(make_store):
    make_store((told := Queue()).put)
    make_store().close()
    assert first_in(told, lambda news: news.has_left).changed is None
