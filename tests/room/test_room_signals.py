"""What happens to a job is told to whoever listens: each thing once, and in its order."""

import gevent
import pytest
from acts import PATIENCE, add, break_down, durable, in_a_file, say, stage, succeed_at, until, wait

from greenroom import (
    Cancel,
    Snooze,
    Status,
    constant,
    task_enqueued,
    task_finished,
    task_retried,
    task_started,
)

ALL = [task_enqueued, task_started, task_retried, task_finished]


def at_rest(room):
    """What a look at the store claims may begin before its enqueuer is woken, as in another process: not here."""
    until(lambda: not any(side.runner.has_backlog() for side in room._backstage.sides))
    return room


@pytest.fixture
def room(room):
    return at_rest(room)


def test_a_job_that_succeeds(room, declare, heard):
    result = declare(room, add).enqueue(1).wait(PATIENCE)
    assert heard[result.id] == ["enqueued", "started", "finished"]


def test_a_job_that_is_retried(room, declare, heard):
    result = declare(room, succeed_at, backoff=constant(0)).enqueue(3).wait(PATIENCE)
    assert heard[result.id] == ["enqueued", "started", "retried", "started", "retried", "started", "finished"]


def test_a_job_that_fails_in_the_end(room, declare, heard):
    result = declare(room, break_down, max_attempts=2, backoff=constant(0)).enqueue().wait(PATIENCE)
    assert heard[result.id] == ["enqueued", "started", "retried", "started", "finished"]


def test_a_job_that_is_snoozed(room, declare, heard):
    result = declare(room, snooze_once).enqueue().wait(PATIENCE)
    assert heard[result.id] == ["enqueued", "started", "started", "finished"]


def snooze_once():
    stage.seen.append(None)
    if len(stage.seen) == 1:
        raise Snooze(0)


def test_a_job_that_is_cancelled_before_it_begins(room, declare, heard):
    result = declare(room, say).using(run_after=60).enqueue("never said")
    result.cancel()
    assert heard[result.id] == ["enqueued", "finished"]


def test_a_job_that_cancels_itself(room, declare, heard):
    result = declare(room, call_off).enqueue().wait(PATIENCE)
    assert heard[result.id] == ["enqueued", "started", "finished"]


def call_off():
    raise Cancel("sold out")


def test_a_job_that_is_cancelled_while_it_runs(room, declare, heard):
    result = declare(room, wait).enqueue()
    stage.wait_for()
    result.cancel()
    result.wait(PATIENCE)
    assert heard[result.id] == ["enqueued", "started", "finished"]


def test_a_job_that_expires(make_room, declare, heard, clock):
    room = make_room(clock=clock, start=False)
    result = declare(room, say, expires=60).enqueue("never said")
    clock.advance(60)
    room.start()
    result.wait(PATIENCE)
    assert heard[result.id] == ["enqueued", "finished"]


def test_many_that_are_enqueued_together(room, declare, heard):
    task = declare(room, add)
    results = room.enqueue_many([task.prepare(number) for number in range(20)])
    for result in results:
        result.wait(PATIENCE)
    assert [heard[result.id] for result in results] == [["enqueued", "started", "finished"]] * 20


def test_many_at_once_are_told_of_once_each(make_room, declare, heard):
    room = make_room(lanes={"greenlet": 3})
    task = declare(room, say)
    gevent.joinall([gevent.spawn(task.enqueue, number) for number in range(200)], raise_error=True)
    until(lambda: len(stage.seen) == 200)
    until(lambda: all("finished" in names for names in heard.values()))
    assert sorted(map(sorted, heard.values())) == [["enqueued", "finished", "started"]] * 200


def test_a_receiver_is_given_the_room_and_the_result_as_it_is_then(room, declare, listen):
    told = []
    for signal in ALL:

        def note(sender, result):
            told.append((sender, result.status, result.attempts))

        listen(signal, note)
    declare(room, add).enqueue(1).wait(PATIENCE)
    assert [(sender is room, status, attempts) for sender, status, attempts in told[1:]] == [
        (True, Status.RUNNING, 1),
        (True, Status.SUCCESSFUL, 1),
    ]


def test_a_receiver_can_read_what_was_returned(room, declare, listen):
    returned = []
    listen(task_finished, lambda _, result: returned.append(result.return_value))
    declare(room, add).enqueue(1, 2).wait(PATIENCE)
    assert returned == [3]


def test_a_receiver_of_one_room_does_not_hear_of_another(make_room, declare):
    mine, theirs = make_room(url="memory://"), make_room(url="memory://")
    names = []

    def note(sender, result):
        names.append(result.task_name)

    with task_finished.connected_to(note, sender=mine):
        declare(theirs, say, name="theirs").enqueue("theirs").wait(PATIENCE)
        declare(mine, say, name="mine").enqueue("mine").wait(PATIENCE)
    assert names == ["mine"]


@pytest.mark.parametrize("signal", ALL, ids=lambda signal: signal.name)
class TestAReceiverThatRaises:
    @pytest.fixture(params=ALL, ids=lambda signal: signal.name)
    def signal(self, request):
        return request.param

    @pytest.fixture(params=[ValueError, gevent.Timeout], autouse=True)
    def _loud(self, request, listen, signal):
        def receiver(sender, result):
            raise request.param

        listen(signal, receiver)

    @pytest.fixture
    def room(self, make_room):
        return at_rest(make_room(lanes={"greenlet": 1}))

    def test_harms_nothing(self, room, declare):
        task = declare(room, succeed_at, backoff=constant(0))
        result = task.enqueue(2).wait(PATIENCE)
        assert (result.status, result.attempts) == (Status.SUCCESSFUL, 2)
        assert task.enqueue(1).wait(PATIENCE).status is Status.SUCCESSFUL
        assert room.trouble() is None

    def test_keeps_no_other_from_hearing(self, room, declare, heard):
        result = declare(room, succeed_at, backoff=constant(0)).enqueue(2).wait(PATIENCE)
        until(lambda: "finished" in heard[result.id])
        assert heard[result.id] == ["enqueued", "started", "retried", "started", "finished"]

    def test_is_logged(self, room, declare, signal, caplog):
        declare(room, succeed_at, backoff=constant(0)).enqueue(2).wait(PATIENCE)
        until(lambda: any(f"a receiver of {signal.name} raised" in line for line in caplog.messages))


def test_a_receiver_that_waits_holds_up_no_job(room, declare, listen):
    def dawdle(sender, result):
        gevent.sleep(0.05)

    listen(task_finished, dawdle)
    results = [declare(room, add, name=f"add {number}").enqueue(number) for number in range(3)]
    assert [result.wait(PATIENCE).return_value for result in results] == [0, 1, 2]


def test_a_receiver_may_enqueue_another_job(room, declare, listen):
    task = declare(room, say, name="next")

    def go_on(sender, result):
        if result.task_name != "next":
            task.enqueue("and then?")

    listen(task_finished, go_on)
    declare(room, add).enqueue(1)
    until(lambda: stage.seen == ["and then?"])


@in_a_file
def test_a_receiver_of_started_is_in_the_context_of_the_task(room, declare, listen):
    names = []
    listen(task_started, lambda _, result: names.append((room.current().job.id, result.id)))
    result = declare(room, add).enqueue(1).wait(PATIENCE)
    assert names == [(int(result.id), result.id)]


@durable
def test_nobody_listens_and_nothing_is_made(room, declare):
    assert not any(signal.receivers for signal in ALL)
    assert declare(room, add).enqueue(1).wait(PATIENCE).return_value == 1
