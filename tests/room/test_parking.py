"""What nobody here can run is kept and shown, costs no attempt, and runs once somebody can."""

from enum import Enum
from itertools import pairwise

import pytest
from acts import PATIENCE, add, in_a_file, say, see, stage, until

from greenroom import Greenroom, Status, UnknownResult
from greenroom.clock import SECOND, as_moment

pytestmark = in_a_file


class Colour(Enum):
    GREEN = "#0f0"


@pytest.fixture
def enqueue(make_room, clock):
    """Enqueues with a room of yesterday's code, which never runs anything; gives the id."""

    def go(func, *args, name=None, register=(), **kwargs):
        room = make_room(clock=clock, start=False)
        for cls in register:
            room.register(cls)
        result = room.task(name=name)(func).enqueue(*args, **kwargs)
        room.stop(0)
        return result.id

    return go


@pytest.fixture
def look(make_room, clock):
    """Opens a room of today's code, and looks at a job until it is parked anew, or finished."""

    def go(result_id, declare):
        room = make_room(clock=clock, start=False)
        declare(room)
        result = room.get_result(result_id)
        before = result.run_after
        room.start()
        until(lambda: result.refresh() or result.is_finished or (result.is_parked and result.run_after > before))
        room.stop(0)
        return result

    return go


def nothing(room):
    pass


def test_a_job_of_an_unknown_task_is_kept_at_no_cost(enqueue, look):
    result = look(enqueue(say, "hello", name="old.say"), nothing)
    assert (result.status, result.is_parked, result.attempts, result.errors) == (Status.READY, True, 0, ())
    assert result.note == "parked: no task is named 'old.say' here"


def test_the_log_tells_of_it_once_for_each_task(enqueue, look, caplog):
    for text in ("hello", "again"):
        look(enqueue(say, text, name="odd.say"), nothing)
    (told,) = [record.message for record in caplog.records if "is parked" in record.message]
    assert told.startswith("task odd.say (job ")
    assert told.endswith(
        ") is parked, as others of that task will be, until a process can run it: no task is named 'odd.say' here"
    )


def test_it_is_looked_at_again_soon_and_then_more_and_more_seldom(enqueue, look, clock):
    result_id = enqueue(say, "hello", name="old.say")
    waits = []
    for _ in range(25):
        result = look(result_id, nothing)
        waits.append((as_moment(result.run_after) - clock.now()) / SECOND)
        clock.advance(waits[-1])
    assert (waits[0], waits[-1]) == (1, 60)
    assert all(wait <= after <= wait * 1.3 for wait, after in pairwise(waits))


def test_it_runs_once_its_task_is_declared(enqueue, look, clock):
    result_id = enqueue(say, "hello", name="old.say")
    look(result_id, nothing)
    clock.advance(60)
    result = look(result_id, lambda room: room.task(name="old.say")(say))
    assert (result.status, result.attempts, result.note) == (Status.SUCCESSFUL, 1, None)
    assert stage.seen == ["hello"]


def test_it_runs_in_the_same_room_when_its_task_is_declared_late(enqueue, make_room, clock):
    result_id = enqueue(say, "hello", name="old.say")
    room = make_room(clock=clock)
    result = room.get_result(result_id)
    until(lambda: result.refresh() or result.is_parked)
    room.task(name="old.say")(say)
    clock.advance(60)
    assert result.wait(PATIENCE).return_value == "hello"


def test_a_task_answers_to_its_older_names(enqueue, look):
    result = look(
        enqueue(say, "hello", name="old.say"),
        lambda room: room.task(name="new.say", names=["older.say", "old.say"])(say),
    )
    assert result.status is Status.SUCCESSFUL
    assert result.task_name == "old.say"


@pytest.mark.parametrize(("func", "args"), [(add, (1, 2, 3)), (say, ()), (say, (1, 2))])
def test_arguments_that_do_not_fit_any_more_are_kept_until_they_do(enqueue, look, clock, func, args):
    result_id = enqueue(see, *args, name="it")
    result = look(result_id, lambda room: room.task(name="it")(func))
    assert (result.status, result.attempts) == (Status.READY, 0)
    assert result.note.startswith("parked: task acts.")
    assert "argument" in result.note

    clock.advance(60)
    result = look(result_id, lambda room: room.task(name="it")(see))
    assert result.status is Status.SUCCESSFUL
    assert stage.seen == [(args, {})]


def test_arguments_that_cannot_be_read_are_kept_until_they_can(enqueue, look, clock):
    result_id = enqueue(say, Colour.GREEN, register=[Colour])
    result = look(result_id, lambda room: room.task(say))
    assert (result.status, result.attempts) == (Status.READY, 0)
    assert result.note.startswith("parked: Cannot read a payload: nothing is registered as")

    clock.advance(60)
    result = look(result_id, lambda room: (room.register(Colour), room.task(say)))
    assert result.status is Status.SUCCESSFUL
    assert stage.seen == [Colour.GREEN]


def test_what_is_parked_hinders_nobody(enqueue, look, make_room, clock):
    ids = [enqueue(say, number, name="old.say") for number in range(5)]
    room = make_room(clock=clock, lanes={"greenlet": 1})
    assert room.task(add).enqueue(1, 2).wait(PATIENCE).return_value == 3
    until(lambda: all(room.get_result(result_id).is_parked for result_id in ids))


def test_a_parked_job_can_be_cancelled(enqueue, make_room, clock):
    result_id = enqueue(say, "hello", name="old.say")
    room = make_room(clock=clock)
    result = room.get_result(result_id)
    until(lambda: result.refresh() or result.is_parked)
    assert result.cancel("nobody will ever know it") is True
    result.refresh()
    assert (result.status, result.is_parked) == (Status.CANCELLED, False)


def test_a_parked_job_expires_like_another(enqueue, make_room, clock):
    room = make_room(clock=clock, start=False)
    result_id = room.task(say, name="old.say").using(expires=60).enqueue("hello").id
    room.stop(0)
    today = make_room(clock=clock)
    result = today.get_result(result_id)
    until(lambda: result.refresh() or result.is_parked)
    today.task(name="old.say")(say)
    clock.advance(60)
    assert result.wait(PATIENCE).status is Status.CANCELLED


def test_no_signal_tells_of_it_but_that_it_was_enqueued(enqueue, look, heard):
    result = look(enqueue(say, "hello", name="old.say"), nothing)
    assert heard[result.id] == ["enqueued"]


def test_a_room_of_another_file_does_not_know_it(enqueue, tmp_path):
    result_id = enqueue(say, "hello")
    other = Greenroom(f"sqlite:///{tmp_path}/other.db")
    with pytest.raises(UnknownResult):
        other.get_result(result_id)
    other.stop(0)


def test_two_rooms_on_one_file_are_warned_of(make_room, caplog):
    make_room()
    assert "opened twice" not in caplog.text
    make_room()
    assert (
        "is opened twice by this process. If these are two rooms, each takes jobs of tasks that only the other "
        "knows, and parks them: make one, in a module of its own, and import it."
    ) in caplog.text
