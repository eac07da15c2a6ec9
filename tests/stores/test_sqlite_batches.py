"""What waits while the writer is busy is served in one transaction; here that is made to happen."""

import pytest
from gevent import joinall, sleep, spawn

from greenroom import _native
from greenroom._native import allocate_lock
from greenroom.clock import ManualClock
from greenroom.errors import LeaseLost, StoreError
from greenroom.job import Progress, Status
from greenroom.outcome import Cancelled, Released, Succeeded
from greenroom.stores import SqliteStore
from greenroom.stores._requests import Call
from greenroom.stores.base import LEASE, Claim
from greenroom.testing import NOON, a_finished_job, a_job


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def make_store(tmp_path, clock):
    stores = []

    def make():
        stores.append(SqliteStore(tmp_path / "jobs.db", clock=clock))
        stores[-1].open()
        return stores[-1]

    yield make
    for store in stores:
        store.close()


@pytest.fixture
def store(make_store):
    return make_store()


def in_one_batch(store, *calls):
    """What came of the calls, in their order: an answer, or an error."""
    busy = allocate_lock()
    busy.acquire()
    errand = spawn(store._writer.run, lambda: busy.acquire() and None)
    asking = [spawn(answer_of, *call) for call in calls]
    while len(store._writer._waiting) < len(calls):
        sleep(0.001)
    busy.release()
    joinall([errand, *asking], raise_error=True)
    return [greenlet.value for greenlet in asking]


def answer_of(verb, *args):
    try:
        return verb(*args)
    except StoreError as error:
        return error


@pytest.fixture
def said(store):
    """The statements that the writer executes from here on."""
    statements = []
    connection = store._ledger._keeper.connection()
    store._writer.run(lambda: connection.set_trace_callback(statements.append))
    return statements


def test_a_batch_is_one_commit(store, said):
    changed, *new = [a_job() for _ in range(20)]
    store.add([changed])
    said.clear()
    change = (store.swap, changed, changed.after(Cancelled("no"), NOON))
    in_one_batch(store, change, *[(store.add, [job]) for job in new])
    assert said.count("BEGIN IMMEDIATE") == said.count("COMMIT") == 1
    assert [job.id for job in store.find(limit=200).jobs] == [job.id for job in [changed, *new]][::-1]


def test_a_batch_of_new_jobs_alone_is_one_statement(store, said):
    jobs = [a_job() for _ in range(30)]
    in_one_batch(store, *[(store.add, [job]) for job in jobs])
    assert len(said) == 1
    assert store.find(limit=200).jobs == jobs[::-1]


def begun(store, number=3):
    """Jobs that run, and what they become."""
    jobs = [a_job().claimed(store.worker, NOON) for _ in range(number)]
    store.add(jobs)
    return [(job, job.after(Succeeded("null"), NOON + 1)) for job in jobs]


def test_new_jobs_and_successes_are_one_statement(store, said):
    changes, jobs = begun(store), [a_job() for _ in range(3)]
    said.clear()
    answers = in_one_batch(store, *[(store.add, [job]) for job in jobs], (store.swap_all, changes))
    assert answers[-1] == [True, True, True]
    assert len(said) == 1
    assert store.find(limit=200).jobs == [*jobs[::-1], *(new for _, new in changes[::-1])]


def test_progress_that_was_made_is_kept_with_a_success(store):
    (job, _), _, _ = begun(store)
    job = store.get(job.id)
    done = job._replace(progress=Progress(1, 2, "half"), context=job.context).after(Succeeded("null"), NOON + 1)
    assert store.swap(job, done)
    assert store.get(job.id) == done


def test_beside_a_success_that_comes_too_late_all_others_are_stored(store):
    changes, job = begun(store), a_job()
    late, _ = changes[1]
    store.swap(late, late.after(Cancelled("no"), NOON))
    answers = in_one_batch(store, (store.add, [job]), (store.swap_all, changes))
    assert answers == [None, [True, False, True]]
    assert store.get(job.id) == job
    assert [store.get(old.id).status for old, _ in changes] == ["SUCCESSFUL", "CANCELLED", "SUCCESSFUL"]


def test_beside_a_success_an_id_is_still_used_once(store):
    changes, taken = begun(store), a_job()
    store.add([taken])
    answers = in_one_batch(store, (store.add, [taken._replace(payload="2")]), (store.swap_all, changes))
    assert str(answers[0]).startswith(f"job {taken.id} cannot be stored: ")
    assert "An id is used once" in str(answers[0])
    assert answers[1] == [True, True, True]
    assert store.get(taken.id) == taken


def test_beside_a_success_two_new_jobs_of_one_id_are_none_of_it(store):
    changes, job = begun(store), a_job()
    answers = in_one_batch(store, (store.add, [job]), (store.add, [job]), (store.swap_all, changes))
    assert answers[0] is None
    assert "An id is used once" in str(answers[1])
    assert answers[2] == [True, True, True]
    assert store.get(job.id) == job


def test_of_two_successes_of_one_job_the_first_wins(store):
    ((job, done), *_) = begun(store)
    other = job.after(Succeeded("2"), NOON + 2)
    assert in_one_batch(store, (store.swap, job, done), (store.swap, job, other)) == [True, False]
    assert store.get(job.id) == done


def test_a_success_of_a_job_that_is_not_there_makes_none(store):
    job = a_job().claimed(store.worker, NOON)
    assert not store.swap(job, job.after(Succeeded("null"), NOON))
    assert store.get(job.id) is None


def test_a_crowd_is_served_half_at_a_time(store, said):
    jobs = [a_job() for _ in range(100)]
    in_one_batch(store, *[(store.add, [job]) for job in jobs])
    assert len(said) > 1
    assert store.find(limit=200).jobs == jobs[::-1]


def test_a_crowd_that_a_slow_disk_has_wait_is_served_together(store, said):
    store._writer.ask(Call(lambda: _native.sleep(0.2)))
    said.clear()
    jobs = [a_job() for _ in range(100)]
    in_one_batch(store, *[(store.add, [job]) for job in jobs])
    assert len(said) == 1
    assert store.find(limit=200).jobs == jobs[::-1]


def test_of_two_swaps_of_one_version_the_first_wins(store):
    job = a_job()
    store.add([job])
    wanted = [job.after(Cancelled(str(number)), NOON) for number in range(5)]
    answers = in_one_batch(store, *[(store.swap, job, new) for new in wanted])
    assert answers == [True, False, False, False, False]
    assert store.get(job.id) == wanted[0]


def test_a_swap_sees_what_the_one_before_it_did(store):
    first = a_job()
    second = first.claimed(store.worker, NOON)
    third = second.after(Succeeded(None), NOON)
    store.add([first])
    assert in_one_batch(store, (store.swap, first, second), (store.swap, second, third)) == [True, True]
    assert store.get(first.id) == third


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        pytest.param({"payload": "\ud800"}, "Text must be Unicode", id="half a surrogate pair"),
        pytest.param({"priority": 1 << 63}, "numbers fit 64 bits", id="64 bits"),
        pytest.param({"payload": object()}, "cannot be stored", id="no text at all"),
        pytest.param({"progress": (object(),)}, "cannot be stored", id="no JSON"),
        pytest.param({"task": None}, "cannot be stored", id="nothing"),
        pytest.param({"id": 0}, "cannot be stored: an id is a number above 0", id="no id"),
    ],
)
def test_what_cannot_be_stored_harms_no_other(store, changes, reason):
    good, bad, swapped = a_job(), a_job(**changes), a_job()
    store.add([swapped])
    answers = in_one_batch(
        store,
        (store.add, [good]),
        (store.add, [bad]),
        (store.swap, swapped, swapped.after(Cancelled("no"), NOON)),
        (store.claim, Claim(NOON, {"idle": 1})),
    )
    assert answers[0] is None
    assert str(answers[1]).startswith(f"job {bad.id} cannot be stored")
    assert reason in str(answers[1])
    assert answers[2] is True
    assert answers[3].jobs == []
    assert [job.id for job in store.find().jobs] == [swapped.id, good.id]


def test_an_outcome_that_cannot_be_stored_is_named(store):
    job = a_job()
    store.add([job])
    with pytest.raises(StoreError, match=f"job {job.id} cannot be stored: .*surrogates"):
        store.swap(job, job.after(Cancelled("\ud800"), NOON))
    assert store.get(job.id) == job


def test_a_worker_declared_dead_has_its_whole_batch_refused(store, make_store, clock):
    survivor = make_store()
    store.add([a_job()])
    (lost,) = store.claim(Claim(NOON, {"greenlet": 1})).jobs
    clock.advance(31)
    survivor.renew(clock.now() + LEASE)
    for job, _ in survivor.expired(clock.now(), 10):
        survivor.swap(job, released := job.after(Released(NOON), NOON))
    survivor.expired(clock.now(), 10)
    answers = in_one_batch(
        store,
        (store.add, [a_job()]),
        (store.add, [a_job().claimed(store.worker, NOON)]),
        (store.swap, lost, lost.after(Succeeded(None), NOON)),
        (store.claim, Claim(clock.now(), {"greenlet": 5})),
    )
    assert [type(answer) for answer in answers] == [LeaseLost] * 4
    assert survivor.find().jobs == [released]
    assert survivor.counts()[Status.RUNNING] == 0


def test_what_is_run_again_just_before_it_would_be_pruned_is_kept(store):
    finished = a_finished_job(finished_at=NOON)
    again = finished.again(NOON)
    anew = again.claimed(store.worker, NOON).after(Succeeded("2"), NOON + 10)
    store.add([finished])
    answers = in_one_batch(store, (store.swap_all, [(finished, again), (again, anew)]), (store.prune, NOON + 1, 10))
    assert answers == [[True, True], 0]
    assert store.get(finished.id) == anew
