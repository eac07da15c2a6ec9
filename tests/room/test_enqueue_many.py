"""Many calls are enqueued together: all of them, or none."""

import pytest
from acts import PATIENCE, add, break_down, durable, in_a_file, say, see, stage, until

from greenroom import InvalidArguments, InvalidPayload, Status, StoreUnavailable


def test_each_is_run_and_has_a_result_in_the_order_given(room, declare):
    task = declare(room, add)
    results = room.enqueue_many([task.prepare(number, b=number) for number in range(50)])
    assert [result.wait(PATIENCE).return_value for result in results] == [2 * number for number in range(50)]


def test_calls_of_several_tasks_with_options_go_together(make_room, declare, clock):
    room = make_room(clock=clock)
    sums, words = declare(room, add), declare(room, say)
    results = room.enqueue_many(
        [sums.prepare(1), words.using(run_after=60, queue_name="later").prepare("no"), words.prepare("yes")]
    )
    assert [result.task_name for result in results] == ["acts.add", "acts.say", "acts.say"]
    results[2].wait(PATIENCE)
    assert stage.seen == ["yes"]
    assert (results[1].queue_name, room.get_result(results[1].id).status) == ("later", Status.READY)


@durable
def test_durable_and_volatile_ones_can_be_mixed(room):
    kept, passing = room.task(name="kept")(say), room.task(name="passing", durable=False)(say)
    results = room.enqueue_many([passing.prepare(1), kept.prepare(2), passing.prepare(3), kept.prepare(4)])
    assert [result.wait(PATIENCE).return_value for result in results] == [1, 2, 3, 4]
    assert [result.id.startswith("v") for result in results] == [True, False, True, False]
    assert room.counts()[Status.SUCCESSFUL] == 2


def test_none_is_none(room):
    assert room.enqueue_many([]) == []


def test_an_iterator_will_do(room, declare):
    task = declare(room, add)
    results = room.enqueue_many(task.prepare(number) for number in range(3))
    assert [result.wait(PATIENCE).return_value for result in results] == [0, 1, 2]


def test_if_arguments_of_one_do_not_fit_none_is_enqueued(room, declare):
    task = declare(room, say)
    with pytest.raises(InvalidArguments):
        room.enqueue_many([task.prepare(1), task.prepare(2, 3), task.prepare(4)])
    task.enqueue("the only one").wait(PATIENCE)
    assert stage.seen == ["the only one"]


@durable
@pytest.mark.parametrize(
    "odd",
    [
        lambda task: [task.prepare(1), task],
        lambda task: [task.prepare(1), lambda: 1],
        lambda task: [task.prepare(1), (task, (1,), {})],
        lambda task: task.prepare(1),
        lambda task: task,
        lambda _: None,
    ],
)
def test_what_is_no_prepared_call_is_refused_and_none_is_enqueued(room, declare, odd):
    with pytest.raises(
        InvalidArguments,
        match=r"takes calls made by task\.prepare\(\.\.\.\), and .* is none: write room\.enqueue_many",
    ):
        room.enqueue_many(odd(declare(room, say)))
    assert set(room.counts().values()) == {0}


def test_nor_is_a_call_that_was_enqueued_already(room, declare):
    task = declare(room, say)
    result = task.enqueue("once").wait(PATIENCE)
    with pytest.raises(InvalidArguments, match=r"and <TaskResult .* is none.* This call has enqueued nothing\.$"):
        room.enqueue_many([task.prepare("never"), result])
    assert stage.seen == ["once"]


@durable
def test_if_arguments_of_one_cannot_be_stored_none_is_enqueued(room, declare):
    task = declare(room, say)
    with pytest.raises(InvalidPayload):
        room.enqueue_many([task.prepare(1), task.prepare(object())])
    assert set(room.counts().values()) == {0}


@durable
@pytest.mark.parametrize("wrong", [0, 1, 2])
def test_a_refused_one_leaves_neither_durable_nor_volatile_ones_behind(room, wrong):
    calls = [room.task(name="kept")(say).prepare(1), room.task(name="passing", durable=False)(say).prepare(2)]
    calls.insert(wrong, room.task(name="odd", durable=False)(see).using().prepare())
    calls[wrong] = calls[wrong]._replace(task=room.tasks["passing"], args=(1, 2, 3))
    with pytest.raises(InvalidArguments):
        room.enqueue_many(calls)
    room.tasks["passing"].enqueue("the only one").wait(PATIENCE)
    assert stage.seen == ["the only one"]
    assert set(room.counts().values()) == {0}


@in_a_file
def test_if_they_cannot_be_stored_none_is_run(make_room, declare):
    room = make_room(start=False)
    task = declare(room, say)
    room.counts()
    room._store.close()
    with pytest.raises(StoreUnavailable):
        room.enqueue_many([task.prepare(1), task.using(durable=False).prepare(2)])
    room._store.open()
    assert set(room.counts().values()) == {0}
    assert stage.seen == []


def test_each_ends_in_its_own_way(room, declare):
    sums, failing = declare(room, add), declare(room, break_down, max_attempts=1)
    results = room.enqueue_many([sums.prepare(1), failing.prepare(), sums.prepare(2)])
    assert [result.wait(PATIENCE).status for result in results] == [
        Status.SUCCESSFUL,
        Status.FAILED,
        Status.SUCCESSFUL,
    ]


@durable
def test_ten_thousand_at_once_are_no_trouble(room, declare):
    task = declare(room, see)
    room.enqueue_many(task.prepare(number) for number in range(10_000))
    until(lambda: room.counts()[Status.SUCCESSFUL] == 10_000)
