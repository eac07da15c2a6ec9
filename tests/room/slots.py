"""What the tests of schedules share: a task that notes its slots, and waiting until a room has no more to do."""

from datetime import UTC, datetime, timedelta

from acts import stage, until

from greenroom import Status

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def note(context, *args, **kwargs):
    """Leaves word of the slot that it was enqueued for."""
    stage.seen.append((context.schedule, context.slot))


def settle(room):
    """Until all that is due has been enqueued and run."""

    ticker, store = room._backstage.ticker, room._backstage.durable.store

    def is_still():
        now, monotonic = room._clock.now(), room._clock.monotonic()
        if ticker._is_told or monotonic - ticker._looked_at >= 30 or now < ticker._last_now:
            return False
        if any(entry.next is not None and entry.next <= now for entry in ticker._entries.values()):
            return False
        jobs = store.find(limit=5000).jobs  # at one moment
        waiting = [job for job in jobs if job.status is Status.READY and job.run_after <= now]
        return not waiting and not any(job.status is Status.RUNNING for job in jobs)

    until(is_still)


def go_on(room, clock, length):
    clock.advance(length)
    settle(room)
