"""The monitor: how late the loop turns, and what made it late, by name and place."""

import inspect

import gevent
import loads
import pytest
from loads import PATIENCE, compress, compute, hold, hold_the_loop, until

from greenroom import loop_blocked
from greenroom._piece import Piece
from greenroom.monitor import Monitor


@pytest.fixture(autouse=True)
def monitor(request):
    """The hub's, as if it had just begun to look."""
    from greenroom._guard import guard_here

    guard = guard_here()
    before = guard.monitor
    guard.monitor = fresh = Monitor()
    fresh.blocked = guard._tell_rooms
    yield fresh
    guard.monitor = before


def line_of(func, text):
    lines, first = inspect.getsourcelines(func)
    return first + next(number for number, line in enumerate(lines) if text in line)


def blocked_by(room, kind):
    return until(lambda: next((each for each in room.monitor.blockers() if each.kind == kind), None))


class TestTheLag:
    def test_is_small_while_nothing_holds_the_loop(self, room):
        for _ in range(20):
            gevent.sleep(0.002)
        lag = room.monitor.lag()
        assert lag.turns >= 20
        assert 0 < lag.p50 <= lag.p99 <= lag.max
        assert lag.p50 < 0.05

    def test_is_as_long_as_what_holds_the_loop(self, room):
        room.spawn(hold_the_loop, 0.2).get(PATIENCE)
        gevent.sleep(0.01)
        assert room.monitor.lag().max >= 0.2

    def test_of_nothing_is_nothing(self):
        lag = Monitor().lag()
        assert (lag.turns, lag.p50, lag.p99, lag.max) == (0, 0.0, 0.0, 0.0)

    def test_is_told_in_shares_of_the_turns(self):
        monitor = Monitor()
        for _ in range(98):
            monitor.turned(0.001)
        for _ in range(2):
            monitor.turned(0.03)
        lag = monitor.lag()
        assert 0.001 <= lag.p50 <= 0.002
        assert (lag.p99, lag.max) == (0.03, 0.03)


def test_the_histogram_counts_each_turn_once():
    monitor = Monitor()
    for seconds in (0.00005, 0.00015, 0.0003, 0.0003, 1000.0):
        monitor.turned(seconds)
    counts = {bound: count for bound, count in monitor.histogram() if count}
    assert counts == {0.0001: 1, 0.0002: 1, 0.0004: 2, 0.0001 * 2**19: 1}
    assert [bound for bound, _ in monitor.histogram()] == sorted(bound for bound, _ in monitor.histogram())


def test_the_last_hour_is_told_by_the_second(room):
    room.spawn(hold_the_loop, 0.2).get(PATIENCE)
    gevent.sleep(0.01)
    seconds = room.monitor.last_hour()
    assert len(seconds) == 3600
    assert max(seconds[-30:]) >= 0.199
    assert max(seconds[:3000]) == 0.0


class TestBlockers:
    def test_a_task_is_named_with_its_place_and_what_to_do(self, room, caplog):
        room.task(hold_the_loop).enqueue(0.2).wait(PATIENCE)
        blocker = blocked_by(room, "task")
        assert (blocker.name, blocker.file, blocker.count) == ("loads.hold_the_loop", loads.__file__, 1)
        assert blocker.line == line_of(hold_the_loop, "hold(seconds)")
        assert blocker.longest >= 0.2
        assert blocker.total == blocker.longest
        assert blocker.last_at is not None
        assert blocker.advice.startswith(
            "it computes where it cannot be put aside (in C code?): declare it with lane="
        )
        (said,) = [line for line in caplog.messages if "the event loop was held" in line]
        assert (
            f"by task loads.hold_the_loop ({loads.__file__}:{blocker.line}) (time no. 1): {blocker.advice}." in said
        )

    def test_what_holds_it_again_is_counted(self, room, caplog):
        task = room.task(hold_the_loop)
        for seconds in (0.1, 0.2, 0.1):
            task.enqueue(seconds).wait(PATIENCE)
            gevent.sleep(0.01)
        blocker = blocked_by(room, "task")
        assert blocker.count == 3
        assert 0.2 <= blocker.longest < blocker.total
        assert blocker.total >= 0.4
        assert len([line for line in caplog.messages if "the event loop was held" in line]) == 1

    def test_c_code_is_put_down_to_the_line_that_calls_it(self, room):
        room.monitor.threshold = 0.005
        room.task(compress).enqueue(3).wait(PATIENCE)
        gevent.sleep(0.01)
        places = {(each.file, each.line) for each in room.monitor.blockers() if each.kind == "task"}
        assert (loads.__file__, line_of(compress, "zlib.compress")) in places

    def test_a_call_is_named_by_its_function(self, room):
        room.spawn(hold_the_loop, 0.2).get(PATIENCE)
        blocker = blocked_by(room, "call")
        assert blocker.name == "hold_the_loop"
        assert "spawn what computes as a task" in blocker.advice

    def test_what_is_none_of_ours_is_named_by_its_outermost_function(self, room):
        def careless():
            hold(0.2)
            return [str(number) for number in range(1000)]

        gevent.spawn(careless).get()
        blocker = blocked_by(room, "other")
        assert blocker.count == 1
        assert blocker.longest >= 0.2
        assert "run it as a task: room.spawn(...)" in blocker.advice

    def test_who_did_it_longest_comes_first(self, room):
        room.task(name="little")(hold_the_loop).enqueue(0.1).wait(PATIENCE)
        gevent.sleep(0.01)
        room.task(name="much")(hold_the_loop).enqueue(0.3).wait(PATIENCE)
        gevent.sleep(0.01)
        assert [each.name for each in room.monitor.blockers()] == ["much", "little"]

    def test_a_task_that_is_put_aside_is_none(self, room):
        room.monitor.threshold = 0.5
        room.task(compute).enqueue(1.0).wait(PATIENCE)
        assert room.monitor.blockers() == []

    def test_it_is_named_where_nothing_is_put_aside_too(self, make_room):
        room = make_room(preempt=False)
        room.task(compute).enqueue(0.3).wait(PATIENCE)
        assert blocked_by(room, "task").name == "loads.compute"

    def test_the_threshold_can_be_set(self, room):
        room.monitor.threshold = 0.6
        room.task(hold_the_loop).enqueue(0.1).wait(PATIENCE)
        gevent.sleep(0.01)
        assert room.monitor.blockers() == []

    def test_there_is_an_end_to_how_many_are_told_apart(self, monkeypatch):
        monkeypatch.setattr("greenroom.monitor._MOST", 3)
        monitor = Monitor()
        for number in range(10):
            monitor.blame(Piece(f"task {number}", "task", inspect.currentframe()))
            monitor.turned(0.1)
        assert len(monitor.blockers()) == 4
        assert {each.name: each.count for each in monitor.blockers()}["others"] == 7


class TestTrouble:
    def test_a_loop_that_was_stuck_is_trouble_for_a_while(self, room, monkeypatch):
        monkeypatch.setattr("greenroom.monitor.REMEMBERED", 0.5)
        room.monitor.stuck_after = 0.2
        room.task(hold_the_loop).enqueue(0.3).wait(PATIENCE)
        gevent.sleep(0.01)
        assert room.trouble().startswith("the event loop was held for 0 s by task loads.hold_the_loop (")
        until(lambda: room.trouble() is None)

    def test_one_that_was_late_is_none(self, room):
        room.task(hold_the_loop).enqueue(0.3).wait(PATIENCE)
        gevent.sleep(0.01)
        assert room.trouble() is None


class TestTheSignal:
    @pytest.fixture
    def told(self):
        told = []

        def note(sender, blocker, seconds):
            gevent.sleep(0.001)  # it may wait, which nobody may in the loop itself
            told.append((sender, blocker.name, seconds))

        loop_blocked.connect(note, weak=False)
        yield told
        loop_blocked.disconnect(note)

    def test_each_room_tells_what_held_the_loop(self, make_room, told):
        rooms = [make_room(), make_room()]
        rooms[0].task(hold_the_loop).enqueue(0.2).wait(PATIENCE)
        until(lambda: len(told) == 2)
        assert {sender for sender, _, _ in told} == set(rooms)
        assert {name for _, name, _ in told} == {"loads.hold_the_loop"}
        assert all(seconds >= 0.2 for _, _, seconds in told)

    def test_a_receiver_that_raises_harms_nothing(self, room, told, caplog):
        def fail(sender, blocker, seconds):
            raise ValueError("deaf")

        with loop_blocked.connected_to(fail):
            room.task(hold_the_loop).enqueue(0.2).wait(PATIENCE)
            until(lambda: any("a receiver of loop_blocked raised" in line for line in caplog.messages))
        until(lambda: told)
