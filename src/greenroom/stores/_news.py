"""News, as it is gathered from what a worker has done, and as it travels to the others."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from itertools import chain

from greenroom.job import Job, Status
from greenroom.stores.base import News, Tick

_MOST = 1000  # ids that are told one by one


def news_of(
    added: Iterable[Job],
    changes: Iterable[tuple[Job, Job]],
    taken: Iterable[Job] = (),
    ticks: Sequence[Tick] = (),
) -> News | None:
    """What others may want to know of jobs added and swapped, but for those `taken` since, and of ticks; or None."""
    added = chain(added, *(tick.jobs for tick in ticks))
    ready = {job.id: job.run_after for job in added if job.status is Status.READY}
    is_rescheduled = any(tick.is_news for tick in ticks)
    changed: set[int] = set()
    for old, new in changes:
        if new.status is Status.READY:
            ready[new.id] = new.run_after
        elif new.is_finished or (new.called_off and not old.called_off):
            changed.add(new.id)
    for job in taken:
        ready.pop(job.id, None)
    if not ready and not changed and not is_rescheduled:
        return None
    return News(
        due=min(ready.values(), default=None),
        changed=frozenset(changed) if len(changed) <= _MOST else None,
        is_rescheduled=is_rescheduled,
    )


def encoded(news: News) -> bytes:
    """As a message of a few bytes; of 20 kB at most."""
    changed = None if news.changed is None else [*news.changed]
    return json.dumps([news.due, changed, *news[2:]]).encode()


def decoded(message: bytes) -> News:
    due, changed, *others = json.loads(message)
    return News(due, None if changed is None else frozenset(changed), *others)
