"""A piece of work, as it is found on the stack of what runs."""

import sys

import gevent
import pytest
from loads import PATIENCE, scene

from greenroom._piece import find_piece


def look():
    scene.seen.append(find_piece(sys._getframe()))


def look_deeper():
    look()


def look_from_a_key():
    sorted([1], key=lambda _: look())


# As code of that module would: frames are known by the module that they belong to.
def look_from_within(module):
    exec(compile("look()", "it.py", "exec"), {"look": look, "__name__": module})


def found():
    (piece,) = scene.seen
    return piece


def test_a_task_is_known_by_its_name(room):
    room.task(name="mail", priority=7)(look_deeper).enqueue().wait(PATIENCE)
    piece = found()
    assert (piece.name, piece.kind, piece.priority) == ("mail", "task", 7)
    assert (piece.is_preemptible, piece.is_clean) == (True, True)
    assert piece.at.f_code is look.__code__
    assert piece.frame.f_code.co_name == "do"


def test_a_job_of_another_priority_has_that(room):
    room.task(look).using(priority=50).enqueue().wait(PATIENCE)
    assert found().priority == 50


def test_a_task_that_must_not_be_put_aside_says_so(room):
    room.task(preempt=False)(look).enqueue().wait(PATIENCE)
    assert found().is_preemptible is False


def test_a_call_is_known_by_its_function(room):
    room.spawn(look_deeper).get(PATIENCE)
    piece = found()
    assert (piece.name, piece.kind) == ("look_deeper", "call")
    assert (piece.is_preemptible, piece.is_clean) == (True, True)


def test_a_call_in_a_room_that_puts_nothing_aside_says_so(make_room):
    make_room(preempt=False).spawn(look).get(PATIENCE)
    assert found().is_preemptible is False


def test_what_is_none_of_ours_is_known_by_its_outermost_function():
    gevent.spawn(look_deeper).get()
    piece = found()
    assert piece.kind == "other"
    assert (piece.is_preemptible, piece.frame) == (False, None)


def test_a_call_through_c_is_clean(room):
    room.task(look_from_a_key).enqueue().wait(PATIENCE)
    assert found().is_clean


@pytest.mark.parametrize(
    "module",
    [
        *("gevent.lock", "greenlet", "importlib._bootstrap", "_frozen_importlib", "asyncio.events", "bdb", "pdb"),
        *("greenroom", "greenroom.app", "greenroom._attempt", "coverage.control"),
    ],
)
def test_what_lies_within_keeps_it_from_being_put_aside(room, module):
    room.task(look_from_within).enqueue(module).wait(PATIENCE)
    assert found().is_clean is False


@pytest.mark.parametrize(
    "module", ["app.views", "geventhttpclient", "greenroom.track", "greenroom.testing._heart", "gevent.pywsgi", None]
)
def test_other_modules_do_not(room, module):
    room.task(look_from_within).enqueue(module).wait(PATIENCE)
    assert found().is_clean is True


def test_what_lies_before_the_work_does_not_matter(room):
    room.task(look).enqueue().wait(PATIENCE)  # the lane's own frames do
    assert found().is_clean is True
