"""A declaration is refused where it is made, not at night in a log."""

from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from acts import PATIENCE, add, say, see, stage, wait
from flask import Flask
from gevent.lock import BoundedSemaphore

from greenroom import Greenroom, InvalidOption, InvalidTask, ManualClock, constant


@pytest.fixture
def room():
    """Nothing is opened by declaring."""
    return Greenroom("memory://")


async def coroutine():
    pass


def generator():
    yield


def on_stage(context):
    return context


@pytest.mark.parametrize(
    "func", [lambda: None, len, print, coroutine, generator, BoundedSemaphore, partial(add, 1), stage.clear, "add"]
)
def test_what_cannot_be_found_again_or_would_do_nothing_is_refused(room, func):
    with pytest.raises(InvalidTask, match="cannot be a task"):
        room.task(name="it")(func)
    assert room.tasks == {}


def test_a_local_function_is_refused_with_the_remedy(room):
    def local():
        pass

    with pytest.raises(InvalidTask, match=r"\.<locals>\.local cannot be a task: .* Move it to module level\."):
        room.task(local)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": ""}, "name='' is not a name"),
        ({"name": "a\nb"}, "is not a name"),
        ({"name": 5}, "name=5 is not a name"),
        ({"names": [""]}, "names='' is not a name"),
        ({"names": "old"}, "names='old' is one str"),
        ({"names": None}, r"names=None is not several names: write names=\['old\.name'\]"),
        ({"queue_name": "x" * 201}, "queue_name='xxx.*' is not a name"),
        ({"queue_name": None}, "queue_name=None is not a name"),
        ({"priority": 101}, "priority=101 is out of range"),
        ({"priority": True}, "priority=True is out of range"),
        ({"priority": 0.5}, "priority=0.5 is out of range"),
        ({"max_attempts": 0}, "max_attempts=0 is out of range: use a whole number from 1 to 10000"),
        ({"max_attempts": "3"}, "max_attempts='3' is out of range"),
        ({"backoff": 5}, "backoff=5 is not a backoff"),
        ({"retry_on": "OSError"}, "retry_on=.* is not a tuple of exception classes"),
        ({"retry_on": (OSError, 5)}, "retry_on=.* is not a tuple of exception classes"),
        ({"timeout": 0}, "timeout=0 is out of range"),
        ({"timeout": float("nan")}, "timeout=nan is out of range"),
        ({"timeout": timedelta(-1)}, "timeout=.* is out of range"),
        ({"timeout": "5"}, "timeout='5' is not a timedelta"),
        ({"expires": datetime(2030, 1, 1)}, "expires=.* is naive"),  # noqa: DTZ001
        ({"expires": -1}, "expires=-1 is out of range"),
        ({"durable": 1}, "durable=1 is neither True nor False"),
        ({"preempt": "no"}, "preempt='no' is neither True nor False"),
        ({"takes_context": None}, "takes_context=None is neither True nor False"),
    ],
)
def test_an_option_with_a_value_it_cannot_have_is_refused(room, options, message):
    with pytest.raises(InvalidOption, match=message):
        room.task(**options)(add)
    assert room.tasks == {}


def test_a_lane_that_is_not_there_is_refused_and_those_that_are_there_are_named(room):
    with pytest.raises(InvalidTask, match=r"acts\.add cannot run in lane 'fiber'.* Use one of 'greenlet', 'idle', "):
        room.task(lane="fiber")(add)


@pytest.mark.parametrize("lane", [["greenlet"], None, 5])
def test_so_is_what_is_no_name_of_a_lane(room, lane):
    with pytest.raises(
        InvalidTask, match=r"acts\.add cannot run in lane .*: there is none\. Use one of 'greenlet', "
    ):
        room.task(lane=lane)(add)


def test_a_function_that_was_not_declared_cannot_be_enqueued(room):
    with pytest.raises(
        InvalidTask,
        match=r"^<function add .*> is not a task, and cannot be enqueued: declare .* @room\.task, and write task",
    ):
        room.enqueue(add, (1,), {})
    assert set(room.counts().values()) == {0}


def test_taking_context_needs_a_parameter_for_it(room):
    with pytest.raises(InvalidTask, match="acts.add takes_context, so its first parameter must be called `context`"):
        room.task(takes_context=True)(add)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"name": "mail"}, {"name": "mail"}),
        ({"name": "mail"}, {"name": "post", "names": ["mail"]}),
        ({"name": "mail", "names": ["post"]}, {"name": "post"}),
        ({"name": "mail", "names": ["old"]}, {"name": "post", "names": ["old"]}),
    ],
)
def test_a_name_belongs_to_one_task(room, first, second):
    mail = room.task(**first)(add)
    with pytest.raises(
        InvalidTask, match=r"two tasks are named '.*': acts.add and acts.see. Give one of them another"
    ):
        room.task(**second)(see)
    assert room.tasks == {"mail": mail}


def test_a_refused_name_is_still_free(room):
    room.task(name="mail")(add)
    with pytest.raises(InvalidTask):
        room.task(name="post", names=["mail"])(see)
    assert room.task(name="post")(see).name == "post"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"lanes": {"fiber": 3}}, "there is no lane 'fiber' to size: use 'greenlet', 'idle', "),
        ({"lanes": {"greenlet": 0}}, r"lanes\['greenlet'\]=0 is out of range: use a whole number from 1 to 100000"),
        ({"lanes": {"idle": True}}, r"lanes\['idle'\]=True is out of range"),
        ({"lanes": ["process"]}, r"lanes=\['process'\] is not a dict of sizes by lane: write lanes={'process': 4}"),
        ({"lanes": 0}, "lanes=0 is not a dict"),
        ({"retention": 7}, r"retention=7 is not a timedelta: write retention=timedelta\(days=7\)"),
        ({"retention": timedelta(-1)}, "retention=.* is out of range"),
        ({"max_payload": 0}, "max_payload=0 leaves no room"),
        ({"durability": "x"}, "durability='x' is not known: use 'disk' or 'process'"),
        ({"durability": None}, "durability=None is not known"),
        ({"max_payload": "x"}, "max_payload='x' is not a whole number of bytes: use 1_000_000"),
        ({"max_payload": True}, "max_payload=True is not a whole number"),
        ({"clock": 3}, r"clock=3 is not a clock: use SystemClock\(\), or ManualClock\(\) in tests"),
        ({"clock": 0}, "clock=0 is not a clock"),
        ({"clock": ManualClock}, "clock=<class .*> is not a clock"),
    ],
)
def test_a_room_with_options_that_make_no_sense_is_refused(options, message):
    with pytest.raises(InvalidOption, match=message):
        Greenroom("memory://", **options)


def test_a_room_is_made_of_the_place_where_jobs_live_and_not_of_an_app():
    app = Flask("shop")
    for made_of in (app, None, 5):
        with pytest.raises(
            InvalidOption,
            match=r"takes the place where jobs live, such as 'sqlite:///greenroom.db', and needs no app",
        ):
            Greenroom(made_of)
    with pytest.raises(InvalidOption, match=r"^Greenroom\(<Flask 'shop'>\): .* this is a Flask\. Write Greenroom"):
        Greenroom(app)


def test_a_room_made_of_a_path_is_told_its_url():
    with pytest.raises(
        InvalidOption, match=r"a path is not a URL\. Write Greenroom\('sqlite:////var/app/jobs\.db'\)"
    ):
        Greenroom(Path("/var/app/jobs.db"))


def test_a_task_is_called_like_its_function(room):
    task = room.task(add)
    assert task(1, b=2) == 3
    with pytest.raises(TypeError):
        task()


def test_a_task_is_declared_with_and_without_parentheses(room):
    assert room.task(add).func is add
    assert room.task()(see).func is see
    assert room.task(priority=5)(say).func is say
    assert set(room.tasks) == {"acts.add", "acts.see", "acts.say"}


def test_what_is_declared_can_be_read_on_the_task(room):
    task = room.task(
        name="mail",
        names=["post"],
        queue_name="letters",
        priority=-100,
        max_attempts=9,
        backoff=constant(5),
        retry_on=OSError,
        timeout=1.5,
        expires=60,
        lane="idle",
        durable=False,
    )(add)
    assert (task.name, task.aliases, task.queue_name, task.priority) == ("mail", ("post",), "letters", -100)
    assert (task.max_attempts, task.backoff, task.retry_on) == (9, constant(5), (OSError,))
    assert (task.timeout, task.expires) == (timedelta(seconds=1.5), 60)
    assert (task.lane, task.durable, task.takes_context) == ("idle", False, False)
    assert repr(task) == "<Task mail>"


def test_a_room_says_where_its_jobs_live_and_how_many_tasks_it_has(room):
    room.task(add)
    assert repr(room) == "<Greenroom memory://: 1 tasks>"


def test_a_task_can_be_declared_while_the_room_runs(make_room):
    room = make_room()
    assert room.task(add).enqueue(1, 2).wait(PATIENCE).return_value == 3


class TestUsing:
    @pytest.fixture
    def task(self, room):
        return room.task(add)

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"run_after": datetime(2030, 1, 1)}, r"is naive.* Give it one: datetime.now\(UTC\)"),  # noqa: DTZ001
            ({"run_after": -1}, "run_after=-1 is out of range: use 0 or more seconds"),
            ({"run_after": float("nan")}, "run_after=nan is out of range"),
            ({"run_after": timedelta(seconds=-5)}, "a delay is not negative"),
            ({"run_after": True}, "run_after=True is not a moment"),
            ({"run_after": "tomorrow"}, "run_after='tomorrow' is not a moment"),
            ({"run_after": timedelta.max}, "nor over 100 years"),
            ({"expires": float("inf")}, "expires=inf is out of range"),
            ({"priority": 10**9}, "priority=1000000000 is out of range: use a whole number from -100 to 100"),
            ({"priority": False}, "priority=False is out of range"),
            ({"max_attempts": -1}, "max_attempts=-1 is out of range"),
            ({"max_attempts": 10_001}, "max_attempts=10001 is out of range"),
            ({"queue_name": ""}, "queue_name='' is not a name"),
            ({"durable": "no"}, "durable='no' is neither True nor False"),
        ],
    )
    def test_refuses_an_option_with_a_value_it_cannot_have(self, task, options, message):
        with pytest.raises(InvalidOption, match=message):
            task.using(**options)

    def test_refuses_an_option_that_there_is_not(self, task):
        with pytest.raises(TypeError, match="unexpected keyword argument 'retries'"):
            task.using(retries=3)

    def test_changes_what_is_given_and_nothing_else(self, task):
        later = datetime(2031, 1, 1, tzinfo=UTC)
        other = task.using(priority=7, run_after=later)
        assert (other.priority, other.run_after, other.max_attempts) == (7, later, task.max_attempts)
        assert (task.priority, task.run_after) == (0, None)

    def test_can_be_said_more_than_once(self, task):
        other = task.using(priority=7, queue_name="mail").using(priority=0)
        assert (other.priority, other.queue_name) == (0, "mail")

    def test_is_a_task_like_the_other(self, task):
        assert task.using(priority=7)(1, 2) == 3


def test_a_lane_has_as_many_slots_as_the_room_says(make_room):
    room = make_room(lanes={"greenlet": 2})
    task = room.task(wait)
    for _ in range(3):
        task.enqueue()
    stage.wait_for(2)
    assert stage.entered.empty()
