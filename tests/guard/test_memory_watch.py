"""The memory watch: above the limit nothing more is begun, and the room says so."""

import gevent
import pytest
from loads import PATIENCE, add, scene, until, wait

from greenroom import Greenroom, InvalidOption, Status
from greenroom._memory import resident_memory

MUCH = 80_000_000  # bytes


@pytest.fixture(autouse=True)
def _look_often(monkeypatch):
    monkeypatch.setattr("greenroom._memory._LOOK_EVERY", 0.02)


@pytest.fixture
def limited(make_room, monkeypatch):
    """A room whose process may hold a little more than it does now."""
    monkeypatch.setattr("greenroom._memory._ENOUGH", 1.0)
    return make_room(max_memory=resident_memory() + MUCH // 2)


class TestAboveTheLimit:
    @pytest.fixture(autouse=True)
    def ballast(self, limited):
        self.held = [bytearray(b"x") * MUCH]
        until(limited.trouble)

    def test_the_room_is_in_trouble(self, limited, caplog):
        assert " MB: no task is begun" in limited.trouble()
        assert limited.trouble().startswith("the process holds ")

    def test_no_task_is_begun_and_those_that_were_enqueued_are_when_it_is_over(self, limited):
        results = [limited.task(wait, durable=durable, name=f"{durable}").enqueue() for durable in (True, False)]
        gevent.sleep(0.1)
        assert scene.seen == []
        assert [result.status for result in results] == [Status.READY] * 2
        self.held.clear()
        until(lambda: limited.trouble() is None)
        scene.curtain.set()
        assert [result.wait(PATIENCE).status for result in results] == [Status.SUCCESSFUL] * 2

    def test_the_room_can_be_stopped(self, limited):
        limited.task(add).enqueue(1)
        with gevent.Timeout(PATIENCE):
            limited.stop(0.1)
        assert limited.trouble() is None


def test_what_runs_may_end(limited):
    result = limited.task(wait).enqueue("on stage")
    until(lambda: scene.seen)
    held = bytearray(b"x") * MUCH
    until(limited.trouble)
    scene.curtain.set()
    assert result.wait(PATIENCE).return_value == "on stage"
    assert held


def test_it_is_logged_with_what_to_do(make_room, caplog):
    room = make_room(max_memory=1000)
    until(room.trouble)
    (said,) = [line for line in caplog.messages if "max_memory" in line]
    assert said == f"{room.trouble()}. Restart it, or raise the limit."


def test_without_a_limit_nobody_looks(make_room):
    room = make_room()
    assert room._backstage._memory._service._greenlet is None


@pytest.mark.parametrize("wanted", [0, -1, "1 GB", True, float("inf")])
def test_a_limit_that_makes_no_sense_is_refused(wanted):
    with pytest.raises(InvalidOption, match="max_memory=.* is out of range: use a number greater than 0, or None."):
        Greenroom("memory://", max_memory=wanted)
