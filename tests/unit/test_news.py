"""What is told to other workers, of all that one does."""

from greenroom.outcome import Cancelled, Failed, Released, Succeeded
from greenroom.stores._news import decoded, encoded, news_of
from greenroom.stores.base import ANYTHING, News
from greenroom.testing import NOON, a_job, an_error


def running(**changes):
    return a_job(**changes).claimed(1, NOON)


def test_jobs_that_nobody_has_taken_are_told_of_with_the_first_moment():
    assert news_of([a_job(run_after=NOON + 7), a_job(run_after=NOON + 3)], []) == News(due=NOON + 3)


def test_a_job_that_is_claimed_as_it_is_added_is_no_news():
    assert news_of([running()], []) is None


def test_a_job_that_was_taken_in_the_same_commit_is_no_news():
    ready = a_job()
    assert news_of([ready], [], [ready.claimed(1, NOON)]) is None


def test_a_job_that_was_given_back_is_to_be_had():
    job = running()
    assert news_of([], [(job, job.after(Released(NOON + 5), NOON))]) == News(due=NOON + 5)


def test_jobs_that_have_ended_are_told_of_by_id():
    jobs = [running() for _ in range(3)]
    outcomes = [Succeeded(None), Failed(an_error()), Cancelled("no")]
    changes = [(job, job.after(outcome, NOON)) for job, outcome in zip(jobs, outcomes, strict=True)]
    assert news_of([], changes) == News(changed=frozenset(job.id for job in jobs))


def test_progress_is_no_news_and_that_a_job_is_called_off_is_told_once():
    job = running()
    called_off = job.call_off("no need")
    assert news_of([], [(job, job._replace(version=2))]) is None
    assert news_of([], [(job, called_off)]) == News(changed=frozenset([job.id]))
    assert news_of([], [(called_off, called_off._replace(version=4))]) is None


def test_of_very_many_none_is_named():
    jobs = [running() for _ in range(1001)]
    assert news_of([], [(job, job.after(Succeeded(None), NOON)) for job in jobs]) == News(changed=None)


def test_news_are_put_together():
    assert News(due=3, changed=frozenset([1])) | News(due=2, has_left=True) == News(2, frozenset([1]), True)
    assert News(changed=frozenset([1])) | News(changed=None) == News(changed=None)
    assert ANYTHING | News(due=7) == ANYTHING


def test_news_survive_the_way():
    for news in (News(), ANYTHING, News(NOON, frozenset([1, 1 << 62])), News(has_left=True)):
        assert decoded(encoded(news)) == news
    assert len(encoded(News(NOON, frozenset(range(1 << 62, (1 << 62) + 1000))))) < 30_000
