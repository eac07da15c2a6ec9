"""The parking lot: one goes on each turn of the loop, the urgent more often, and nobody waits for ever."""

import gevent
import pytest
from gevent import get_hub
from gevent.event import Event
from loads import until

from greenroom.lanes.lot import ParkingLot, lot_here


@pytest.fixture
def lot():
    return ParkingLot()


@pytest.fixture
def visit(lot):
    """Greenlets that wait in the lot again and again, and note each time that they go on."""
    made = []

    def begin(name, log, *, priority=0, times=10**9):
        def stay():
            for _ in range(times):
                lot.park(priority)
                log.append(name)

        made.append(gevent.spawn(stay))
        return made[-1]

    yield begin
    gevent.killall(made)


def test_is_the_one_of_its_hub():
    assert lot_here() is lot_here()


def test_one_goes_on_each_turn_of_the_loop(visit):
    log, turns, most = [], [0], [0]

    def count_turn():
        turns[0] += 1
        most[0] = max(most[0], len(log) - seen[0])
        seen[0] = len(log)

    seen = [0]
    watcher = get_hub().loop.prepare()
    for number in range(10):
        visit(number, log, times=5)
    gevent.sleep(0)
    watcher.start(count_turn)
    until(lambda: len(log) == 50)
    watcher.stop()
    watcher.close()
    assert most[0] <= 2  # two, when patience ends in the turn in which the loop is idle as well
    assert turns[0] >= 25


def test_has_the_turn_unless_something_else_happens_in_it(lot, visit):
    seen = []
    watcher = get_hub().loop.check(priority=get_hub().loop.MAXPRI)
    watcher.start(lambda: seen.append(lot.has_the_turn()))
    try:
        gevent.sleep(0.01)
        assert not any(seen)  # nobody waits there
        staying = [visit(number, []) for number in range(2)]
        gevent.sleep(0.05)
        assert seen[-1] is False  # this greenlet goes on in it
        assert seen.count(True) > 10
        gevent.killall(staying)
    finally:
        watcher.stop()
        watcher.close()


def test_of_the_same_priority_they_take_turns(visit):
    log = []
    for name in "abc":
        visit(name, log)
    until(lambda: len(log) >= 30)
    assert [log[:30].count(name) for name in "abc"] == [10, 10, 10]


def test_so_many_steps_of_priority_double_the_share(visit):
    log = []
    visit("plain", log)
    visit("urgent", log, priority=50)
    until(lambda: len(log) >= 500)
    share = log[:500].count("urgent") / log[:500].count("plain")
    assert share == pytest.approx(4, abs=0.3)


def test_the_least_urgent_is_not_kept_out_by_the_most_urgent(visit):
    log = []
    visit("least", log, priority=-100)
    for number in range(5):
        visit(number, log, priority=100)
    until(lambda: log.count("least") >= 2)
    assert log.count(0) > 50 * log.count("least")


def test_who_comes_late_is_not_before_those_who_waited_and_owes_nothing(visit):
    log = []
    visit("old", log)
    until(lambda: len(log) >= 100)
    begin = len(log)
    visit("new", log)
    until(lambda: len(log) >= begin + 100)
    late = log[begin : begin + 100]
    assert 40 <= late.count("new") <= 60


def test_who_is_thrown_out_is_not_woken_again(lot, visit):
    log = []
    kept, gone = visit("kept", log, times=3), visit("gone", log)
    gevent.sleep(0)
    gone.kill()
    kept.join(10)
    assert log.count("kept") == 3
    until(lambda: len(lot) == 0)


def test_what_is_thrown_is_raised_where_it_waits(lot):
    raised = []

    def stay():
        try:
            lot.park()
        except ValueError as error:
            raised.append(error)

    greenlet = gevent.spawn(stay)
    gevent.sleep(0)
    greenlet.kill(ValueError("out"))
    assert [str(error) for error in raised] == ["out"]
    assert len(lot) == 0


def test_who_is_thrown_out_and_comes_back_waits_once(lot):
    log = []

    def come_back():
        try:
            lot.park()
        except ValueError:
            lot.park()
        log.append("on")
        get_hub().switch()

    greenlet = gevent.spawn(come_back)
    gevent.sleep(0)
    greenlet.kill(ValueError, block=False)
    until(lambda: log)
    gevent.sleep(0.02)
    assert log == ["on"]
    assert len(lot) == 0
    greenlet.kill()


def test_who_is_forgotten_never_goes_on(lot, visit):
    log = []
    forgotten = visit("forgotten", log)
    gevent.sleep(0)
    assert lot.forget(forgotten) is True
    assert lot.forget(forgotten) is False
    visit("other", log, times=5).join(10)
    assert log == ["other"] * 5


def test_while_nobody_waits_the_loop_may_rest(lot, visit):
    visit("once", [], times=1).join(10)
    assert not lot._idle.active
    assert not lot._impatience.active


def test_under_steady_traffic_patience_ends(visit):
    log = []
    is_over = []

    def keep_busy():
        while not is_over:
            gevent.sleep(0)

    traffic = gevent.spawn(keep_busy)
    visit("at last", log, times=3)
    until(lambda: len(log) == 3)
    is_over.append(True)
    traffic.join()


def test_who_waits_is_not_taken_for_who_has_just_begun(room):
    lot, waits = lot_here(), Event()
    seen = []
    room.spawn(lambda: (seen.append(lot.beginner), waits.wait(), seen.append(lot.beginner)))
    gevent.sleep(0.01)
    assert seen[0] is not None
    assert lot.beginner is None
    waits.set()
    gevent.sleep(0.01)
    assert seen[1] is None
