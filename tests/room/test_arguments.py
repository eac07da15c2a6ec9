"""What a function is called with: just what it was enqueued with, or it is refused there and then."""

from dataclasses import dataclass
from enum import Enum

import pytest
from acts import PATIENCE, add, durable, say, see, stage, until, volatile

from greenroom import InvalidArguments, InvalidPayload, Status

HOSTILE = [
    "priority",
    "timeout",
    "run_after",
    "eta",
    "retries",
    "delay",
    "expires",
    "max_attempts",
    "lane",
    "durable",
    "name",
    "self",
    "task",
    "func",
    "function",
    "seconds",
    "args",
    "kwargs",
    "room",
    "context",
    "connection",
    "result",
    "callable",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_named_argument_of_any_name_reaches_the_function(room, declare, name):
    declare(room, see).enqueue(**{name: 5}).wait(PATIENCE)
    assert stage.seen == [((), {name: 5})]


@pytest.mark.parametrize("name", HOSTILE)
def test_so_it_does_by_every_other_way(room, declare, name):
    task = declare(room, see)
    task(**{name: 1})
    task.using(priority=1).enqueue(**{name: 2}).wait(PATIENCE)
    room.enqueue_many([task.prepare(**{name: 3})])[0].wait(PATIENCE)
    room.spawn(see, **{name: 4}).get(PATIENCE)
    room.spawn_later(0, see, **{name: 5}).get(PATIENCE)
    assert stage.seen == [((), {name: number}) for number in (1, 2, 3, 4, 5)]


@pytest.mark.parametrize(
    ("args", "kwargs", "reason"),
    [
        ((), {}, "missing 1 required positional argument: 'a'"),
        ((1, 2, 3), {}, "takes from 1 to 2 positional arguments but 3 were given"),
        ((1,), {"c": 3}, "got an unexpected keyword argument 'c'"),
        ((1,), {"a": 1}, "got multiple values for argument 'a'"),
    ],
)
def test_arguments_that_do_not_fit_are_refused_and_nothing_is_stored(room, declare, args, kwargs, reason):
    task = declare(room, add)
    with pytest.raises(InvalidArguments, match=rf"^task acts\.add\(\) {reason}\. Enqueue it with the arguments that"):
        task.enqueue(*args, **kwargs)
    assert set(room.counts().values()) == {0}


@durable
@pytest.mark.parametrize(
    ("args", "kwargs", "path"),
    [
        ((object(),), {}, r"args\[0\]"),
        ((1, {"rows": [1, object()]}), {}, r"args\[1\]\['rows'\]\[1\]"),
        ((1,), {"b": {"deep": (1, {2, object()})}}, r"kwargs\['b'\]\['deep'\]\[1\]"),
    ],
)
def test_an_argument_that_cannot_be_stored_is_refused_by_its_path(room, declare, args, kwargs, path):
    task = declare(room, add)
    with pytest.raises(InvalidPayload, match=path):
        task.enqueue(*args, **kwargs)
    assert set(room.counts().values()) == {0}


@durable
def test_more_than_the_room_stores_is_refused_and_not_stored(make_room, declare):
    room = make_room(max_payload=1000)
    with pytest.raises(InvalidPayload, match="1,000"):
        declare(room, say).enqueue("x" * 1000)
    assert set(room.counts().values()) == {0}


@durable
def test_a_task_is_given_what_was_stored_and_not_the_callers_objects(room, declare):
    given = {"rows": [1, 2]}
    room.stop(0)
    result = declare(room, see).enqueue(given)
    given["rows"].append(3)
    room.start()
    result.wait(PATIENCE)
    ((received,), _) = stage.seen[0]
    assert received == {"rows": [1, 2]}
    assert received is not given


@durable
def test_each_attempt_is_given_its_own(room, declare):
    task = declare(room, spoil, max_attempts=2)
    task.enqueue(["one"]).wait(PATIENCE)
    assert stage.seen == [["one"], ["one"]]


def spoil(words):
    stage.seen.append(list(words))
    words.append("more")
    if len(stage.seen) == 1:
        raise stage.retry


@pytest.fixture(autouse=True)
def _retry():
    from greenroom import Retry

    stage.retry = Retry(after=0)


@volatile
def test_a_volatile_task_is_given_the_objects_themselves(room, declare):
    given = object()
    result = declare(room, say).enqueue(given).wait(PATIENCE)
    assert stage.seen == [given]
    assert result.return_value is given
    assert result.args == (given,)


def test_the_arguments_can_be_read_on_the_result(room, declare):
    result = declare(room, see).enqueue(1, "two", three=[3])
    assert (result.args, result.kwargs) == ((1, "two"), {"three": [3]})
    assert room.get_result(result.id).kwargs == {"three": [3]}


class Colour(Enum):
    GREEN = "#0f0"


@dataclass
class Order:
    number: int
    colour: Colour


def test_a_registered_class_travels_both_ways(room, declare):
    room.register(Colour)
    room.register(Order)
    order = Order(5, Colour.GREEN)
    result = declare(room, say).enqueue(order).wait(PATIENCE)
    assert stage.seen == [order]
    assert result.return_value == order


@durable
def test_a_class_that_is_not_registered_is_refused(room, declare):
    with pytest.raises(InvalidPayload, match=r"args\[0\]"):
        declare(room, say).enqueue(Colour.GREEN)


def test_ten_thousand_arguments_are_no_trouble(room, declare):
    result = declare(room, see).enqueue(*range(10_000))
    until(lambda: stage.seen)
    assert result.wait(PATIENCE).status is Status.SUCCESSFUL
    assert stage.seen == [(tuple(range(10_000)), {})]
