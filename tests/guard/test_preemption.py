"""Pre-emption: a task that computes is put aside, and the loop goes on turning."""

import os
import signal
import sys
import threading
import time
from contextlib import suppress
from datetime import timedelta
from statistics import median

import gevent
import pytest
from loads import PATIENCE, compute, compute_for_ever, count_to, scene

from greenroom import Greenroom, InvalidOption, Status, _rhythm
from greenroom._guard import guard_here
from greenroom._rhythm import QUANTUM

BOUND = 0.5  # seconds that a beat may be late; seen are some milliseconds
SLICE = 0.005  # seconds: a quantum that is long for the times around it, and short enough for lanes not to shrink
LONG = 20_000_000  # steps of counting, which take a second and more


@pytest.fixture
def beats_through(heart):
    """How late the heart was at most while all this was done."""

    def run(task, *numbers):
        gevent.sleep(0.02)
        heart.begin()
        for result in [task.enqueue(number) for number in numbers]:
            assert result.wait(PATIENCE).status is Status.SUCCESSFUL
        gevent.sleep(0.02)  # a beat that was due meanwhile is counted
        return heart.latest

    return run


def test_a_loop_in_python_does_not_hold_the_heart(room, beats_through, heart):
    task = room.task(compute)
    assert beats_through(task, 1.0) < BOUND
    assert heart.beats > 10
    assert room.preemption().count > 10


def test_nor_do_twenty_and_all_their_work_is_done(room, beats_through, heart):
    task = room.task(count_to)
    numbers = [LONG // 20 + number for number in range(20)]
    assert beats_through(task, *numbers) < BOUND
    assert heart.beats > 50  # once between two tasks would be 20 times
    assert sorted(scene.seen) == numbers


def test_a_call_is_put_aside_too(room, heart):
    call = room.spawn(compute, 1.0)
    gevent.sleep(0)
    heart.begin()
    call.get(PATIENCE)
    assert heart.latest < BOUND


def test_work_that_is_put_aside_shares_the_loop(room):
    task = room.task(count_to)
    long, short = task.enqueue(LONG), task.enqueue(1000)
    short.wait(PATIENCE)
    assert scene.seen == [1000]
    assert long.wait(PATIENCE).return_value == LONG


def test_a_room_that_has_stopped_can_begin_anew(room, beats_through):
    room.stop()
    room.start()
    assert beats_through(room.task(compute), 1.0) < BOUND


def test_a_room_goes_on_with_it_when_another_stops(make_room, beats_through):
    one, other = make_room(), make_room()
    other.stop()
    assert one.preemption().is_on
    assert beats_through(one.task(compute), 1.0) < BOUND


class TestItCanBeTurnedOff:
    def test_for_a_task(self, room, beats_through):
        assert beats_through(room.task(preempt=False)(compute), 0.3) >= 0.25

    def test_for_a_room(self, make_room, beats_through):
        room = make_room(preempt=False)
        assert beats_through(room.task(compute), 0.3) >= 0.25
        assert room.preemption().is_on is False
        assert room.preemption().why_off == "every room has preempt=False"

    def test_for_the_calls_of_a_room(self, make_room, heart):
        call = make_room(preempt=False).spawn(compute, 0.3)
        gevent.sleep(0)
        heart.begin()
        call.get(PATIENCE)
        gevent.sleep(0.02)
        assert heart.latest >= 0.25

    def test_for_one_room_beside_another(self, make_room, beats_through):
        without, beside = make_room(preempt=False), make_room()
        assert beats_through(without.task(compute), 0.3) >= 0.25
        assert beside.preemption().is_on is True


class TestTheQuantum:
    @pytest.mark.parametrize("wanted", [0.0004, 0, -1, 1.1, "1 ms", True, timedelta(microseconds=100)])
    def test_is_refused_where_it_makes_no_sense(self, wanted):
        with pytest.raises(InvalidOption) as caught:
            Greenroom("memory://", quantum=wanted)
        assert str(caught.value).endswith(
            " is out of range: use 0.0005 to 1 seconds. Below that more time would go into switching than into "
            "tasks; preempt=False turns pre-emption off."
        )

    def test_is_the_least_that_a_room_asks_for(self, make_room):
        coarse = make_room(quantum=0.1)
        assert coarse.preemption().quantum == 0.1
        fine = make_room(quantum=timedelta(milliseconds=2))
        assert coarse.preemption().quantum == 0.002
        fine.stop()
        assert coarse.preemption().quantum == 0.1


def first_slice():
    """CPU time until this is put aside for others that compute."""
    began = last = time.thread_time()
    while (now := time.thread_time()) - last < SLICE / 10:
        last = now
    return last - began


def test_what_begins_beside_others_is_put_aside_after_one_quantum(make_room):
    # A hundred that begin at once have their first slices one after the other, and a request between two of them.
    room = make_room(quantum=SLICE)
    room.task(compute_for_ever, lane="idle").enqueue()
    while not scene.steps:
        gevent.sleep(0.01)
    slices = [call.get(PATIENCE) for call in [room.spawn(first_slice) for _ in range(15)]]
    assert median(slices) < SLICE * 1.5


def changes_of_slice(count):
    """The slices that were had, each as it changed, until there were so many, or for a second."""
    rhythm, seen, ends = guard_here()._rhythm, [], time.perf_counter() + 1
    while len(seen) < count and time.perf_counter() < ends:
        if rhythm.slice != (seen[-1] if seen else None):
            seen.append(rhythm.slice)
    return seen


def test_where_nothing_else_happens_slices_are_longer_until_something_does(room):
    gevent.spawn_later(0.3, time.sleep, 0)
    assert room.spawn(changes_of_slice, 3).get(PATIENCE) == [QUANTUM, _rhythm.SLICE, QUANTUM]


def test_beside_requests_they_are_not(room, heart):
    assert room.spawn(changes_of_slice, 2).get(PATIENCE) == [QUANTUM]
    assert heart.beats > 50


def test_nor_are_they_shorter_than_a_quantum(make_room):
    assert make_room(quantum=SLICE).spawn(changes_of_slice, 2).get(PATIENCE) == [SLICE]


def sink():
    """Down to where not even the alarm's handler can be called, with a ring at each step."""
    with suppress(RecursionError):
        os.kill(os.getpid(), signal.SIGURG)
        sink()


@pytest.mark.skipif(sys.platform != "linux", reason="the alarm is another signal")
def test_goes_on_after_it_rang_at_the_bottom_of_a_recursion(room, heart):
    for _ in range(20):
        room.spawn(sink).get(PATIENCE)
    before = room.preemption().count
    heart.begin()
    room.spawn(compute, 1.0).get(PATIENCE)
    assert room.preemption().count > before + 10
    assert heart.latest < BOUND


def test_before_a_room_runs_it_is_off(make_room):
    told = make_room(start=False).preemption()
    assert (told.is_on, told.why_off) == (False, "no room runs")


@pytest.mark.integration
class TestWhereItCannotBeHad:
    def test_in_another_thread_the_room_works_and_says_so_once(self, run_alone):
        done = run_alone("""
            from gevent import monkey; monkey.patch_all()
            import gevent
            from greenroom import Greenroom

            def add(a, b):
                return a + b

            def elsewhere():
                rooms = [Greenroom("memory://") for _ in range(2)]
                for room in rooms:
                    room.start()
                    print(room.task(add).enqueue(1, 2).wait(10).return_value, room.preemption().why_off)
                for room in rooms:
                    room.stop()

            gevent.get_hub().threadpool.spawn(elsewhere).get()
            """)
        assert done.stdout == "3 signals are a matter of the main thread, and this is another one\n" * 2, done.stderr
        assert done.stderr.count("tasks are not pre-empted: signals are a matter of the main thread") == 1

    def test_in_an_unpatched_process_the_room_works_and_says_so_once(self, run_alone):
        done = run_alone("""
            from greenroom import Greenroom

            def add(a, b):
                return a + b

            for _ in range(2):
                room = Greenroom("memory://")
                room.start()
                print(room.task(add).enqueue(1, 2).wait(10).return_value)
            """)
        assert done.stdout == "3\n3\n", done.stderr
        assert done.stderr.count("tasks are not pre-empted: the standard library is not patched") == 1

    def test_where_the_program_has_both_signals_itself(self, run_alone):
        done = run_alone("""
            from gevent import monkey; monkey.patch_all()
            import signal
            for number in (signal.SIGURG, signal.SIGALRM):
                signal.signal(number, lambda *_: None)
            from greenroom import Greenroom

            room = Greenroom("memory://")
            room.start()
            print(room.preemption().why_off)
            """)
        assert done.stdout == "the program has handlers of its own for SIGURG and SIGALRM\n", done.stderr


@pytest.mark.integration
def test_an_idle_process_is_not_woken(run_alone):
    done = run_alone("""
        from gevent import monkey; monkey.patch_all()
        import gevent
        from greenroom import Greenroom

        def compute():
            n = 0
            while n < 1_000_000:
                n += 1

        room = Greenroom("memory://")
        room.start()
        room.task(compute).enqueue().wait(20)
        turns = [0]
        watcher = gevent.get_hub().loop.prepare(ref=False)
        watcher.start(lambda: turns.__setitem__(0, turns[0] + 1))
        for _ in range(20):  # on a busy machine the lanes take a while to be whole again, which is no rest
            turns[0] = 0
            gevent.sleep(1)
            if turns[0] < 10:
                break
        print(turns[0])
        """)
    assert int(done.stdout) < 10, done.stderr


def test_the_lock_of_a_task_that_is_put_aside_keeps_only_those_out_who_want_it(room, heart):
    lock = threading.Lock()

    def within():
        with lock:
            compute(0.5)

    call = room.spawn(within)
    gevent.sleep(0.02)
    heart.begin()
    assert lock.acquire(timeout=PATIENCE)
    assert call.get(PATIENCE) is None
    assert heart.latest < BOUND
