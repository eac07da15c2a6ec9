"""Pre-emption leaves no trace: not in signals, nor in how a process ends, nor in its children."""

import signal

import pytest
from programs import run, say

pytestmark = pytest.mark.integration

# With SIGURG taken the alarm has to be the process's one interval timer: a tougher case for most of this.
ALARMS = pytest.mark.parametrize("taken", ["", "take_signals(signal.SIGURG)"], ids=["SIGURG", "SIGALRM"])


@pytest.mark.parametrize("name", ["SIGALRM", "SIGPROF", "SIGURG", "SIGVTALRM"])
def test_the_handlers_of_a_program_are_its_own_before_and_after(name):
    said = say(f"""
        take_signals(signal.{name})
        mine = signal.getsignal(signal.{name})
        room.start()
        call = room.spawn(spin, 0.3)
        while guard_here().preemptions <= 10 and not call.is_finished:
            gevent.sleep(0.001)
        print(signal.getsignal(signal.{name}) is mine, guard_here().preemptions > 10)
        os.kill(os.getpid(), signal.{name})
        call.get()
        room.stop()
        print(signal.getsignal(signal.{name}) is mine, heard == [signal.{name}])
        os.kill(os.getpid(), signal.{name})
        print(len(heard))
    """)
    assert said == ["True", "True", "True", "True", "2"]


def test_where_it_had_none_there_is_none_afterwards():
    said = say("""
        before = [signal.getsignal(number) for number in range(1, 65) if number not in (32, 33)]
        room.start()
        room.spawn(spin, 0.1).get()
        room.stop()
        after = [signal.getsignal(number) for number in range(1, 65) if number not in (32, 33)]
        print(before == after, signal.getitimer(signal.ITIMER_REAL))
        time.sleep(0.05)
    """)
    assert said == ["True", "(0.0,", "0.0)"]


def test_a_handler_that_came_while_the_room_ran_stays():
    said = say("""
        room.start()
        take_signals(signal.SIGURG)
        mine = signal.getsignal(signal.SIGURG)
        room.spawn(spin, 0.05).get()
        room.stop()
        print(signal.getsignal(signal.SIGURG) is mine)
    """)
    assert said == ["True"]


def test_a_room_that_starts_again_pre_empts_again():
    said = say("""
        for _ in range(3):
            room.start()
            before = guard_here().preemptions
            room.spawn(spin, 0.1).get()
            print(guard_here().preemptions > before, guard_here().why_off)
            room.stop()
    """)
    assert said == ["True", "None"] * 3


def test_where_every_signal_is_taken_nothing_is_pre_empted_and_one_warning_says_why():
    done = run("""
        take_signals(signal.SIGURG, signal.SIGALRM)
        room.start()
        other = Greenroom("memory://")
        room.spawn(spin, 0.1).get()
        print(guard_here().preemptions, len(heard))
        room.stop()
    """)
    assert (done.returncode, done.stdout.split()) == (0, ["0", "0"])
    (warning,) = [line for line in done.stderr.splitlines() if "pre-empted" in line]
    assert warning == (
        "tasks are not pre-empted: the program has handlers of its own for SIGURG and SIGALRM. "
        "One that computes will hold up requests."
    )


@ALARMS
@pytest.mark.parametrize(
    ("ending", "status"),
    [
        ("pass", 0),
        ("room.stop(0)", 0),
        ("sys.exit(3)", 3),
        ("raise LookupError('in main')", 1),
        ("os._exit(4)", 4),
        ("os.kill(os.getpid(), signal.SIGTERM)", -signal.SIGTERM),
    ],
)
def test_a_process_ends_as_it_would_whatever_its_tasks_compute(taken, ending, status):
    done = run(f"""
        import atexit
        {taken}
        atexit.register(lambda: spin(0.05))
        room.start()
        for _ in range(5):
            room.spawn(spin, 3600)
        until_preempted()
        {ending}
    """)
    assert done.returncode == status, done.stderr
    assert ("Traceback" in done.stderr) == (status == 1)


def test_a_process_with_a_limit_for_its_loop_may_take_longer_to_end():
    done = run("""
        import atexit
        atexit.register(spin, 1.5)  # the loop does not turn any more, and nobody expects it to
        room = Greenroom("memory://", abort_after=0.5)
        room.start()
        room.spawn(spin, 3600)
        until_preempted()
    """)
    assert done.returncode == 0, done.stderr


@ALARMS
def test_a_program_that_takes_the_place_of_this_one_lives(taken):
    # An interval timer outlives exec, the handler does not, and SIGALRM ends whoever has none.
    said = say(f"""
        {taken}
        room.start()
        room.spawn(spin, 3600)
        until_preempted()
        program = "import time; time.sleep(0.2); sum(range(10**6)); print('lives')"
        os.execv(sys.executable, [sys.executable, "-S", "-c", program])
    """)
    assert said == ["lives"]


@ALARMS
def test_a_task_may_take_that_place_as_well(taken):
    said = say(f"""
        {taken}
        def replace():
            spin(0.05)
            program = "import time; time.sleep(0.2); sum(range(10**6)); print('lives')"
            os.execv(sys.executable, [sys.executable, "-S", "-c", program])

        room.start()
        room.spawn(replace).get()
    """)
    assert said == ["lives"]


@ALARMS
def test_a_program_that_could_not_be_started_changes_nothing(taken):
    said = say(f"""
        {taken}
        room.start()
        room.spawn(spin, 3600)
        until_preempted()
        try:
            os.execvp("no-such-program", ["no-such-program"])
        except FileNotFoundError:
            until_preempted()
            print("on")
        room.stop(0)
    """)
    assert said == ["on"]


@ALARMS
def test_a_forked_child_is_not_disturbed(taken):
    said = say(f"""
        {taken}
        def fork():
            spin(0.02)
            child = os.fork()
            if not child:
                at = guard_here().preemptions
                spin(0.2)
                os._exit(7 if guard_here().preemptions == at else 8)
            return child

        room.start()
        room.spawn(spin, 3600)
        for fork_it in (fork, lambda: room.spawn(fork).get()):
            child = fork_it()
            print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        until_preempted()
        room.stop(0)
    """)
    assert said == ["7", "7"]


def test_a_forked_child_may_have_a_room_of_its_own():
    said = say("""
        room.start()
        call = room.spawn(spin, 3600)
        until_preempted()
        child = os.fork()
        if not child:
            gevent.reinit()
            mine = Greenroom("memory://")
            mine.start()
            mine.spawn(spin, 3600)
            until_preempted()
            os._exit(7)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        until_preempted()
        room.stop(0)
    """)
    assert said == ["7"]


@ALARMS
def test_other_programs_that_it_runs_are_not_disturbed(taken):
    said = say(f"""
        {taken}
        import subprocess
        def other():
            spin(0.02)
            program = "import signal, time; time.sleep(0.1); print(signal.getitimer(signal.ITIMER_REAL)[0])"
            return subprocess.run([sys.executable, "-S", "-c", program], capture_output=True, text=True, check=True)

        room.start()
        room.spawn(spin, 3600)
        for call in [room.spawn(other) for _ in range(3)]:
            print(call.get().stdout)
        room.stop(0)
    """)
    assert said == ["0.0"] * 3


def test_sqlite_waits_for_a_lock_as_long_as_it_was_told_to(tmp_path):
    # In C, by sleeps that a signal cuts short.
    said = say(f"""
        import sqlite3, subprocess
        holder = '''
        import sqlite3, sys, time
        database = sqlite3.connect("{tmp_path}/app.db")
        database.execute("CREATE TABLE item (n)")
        database.execute("BEGIN IMMEDIATE")
        print("held", flush=True)
        time.sleep(1)
        database.commit()
        '''

        def insert():
            spin(0.01)
            with sqlite3.connect("{tmp_path}/app.db") as database:
                return database.execute("INSERT INTO item VALUES (1)").rowcount

        import textwrap
        command = [sys.executable, "-c", textwrap.dedent(holder)]
        other = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        print(other.stdout.readline())
        room.start()
        print(room.spawn(insert).get())
        other.communicate()
        room.stop()
    """)
    assert said == ["held", "1"]


def test_a_recursion_that_has_room_has_it_when_it_is_looked_at_as_well():
    said = say("""
        def down(levels):
            return sum(range(20_000)) + levels if levels == 0 else down(levels - 1)

        def deepest(levels=5000):
            try:
                down(levels)
            except RecursionError:
                return deepest_from(levels)

        def deepest_from(levels):
            while levels:
                levels -= 1
                try:
                    down(levels)
                    return levels
                except RecursionError:
                    pass

        quiet = Greenroom("memory://", preempt=False)
        quiet.start()
        levels = quiet.spawn(deepest, sys.getrecursionlimit()).get() - 5
        quiet.stop()
        room.start()
        calls = [room.spawn(lambda: [down(levels) for _ in range(100)]) for _ in range(4)]
        print(sum(len(call.get()) for call in calls))
        room.stop()
    """)
    assert said == ["400"]


def test_system_calls_in_c_go_on_where_they_were():
    said = say("""
        import ctypes
        from gevent.monkey import get_original
        libc = ctypes.CDLL(None, use_errno=True)
        reader, writer = os.pipe()

        def write():
            get_original("time", "sleep")(0.1)
            os.write(writer, b"x")

        def read():
            spin(0.02)
            get_original("_thread", "start_new_thread")(write, ())
            return libc.read(reader, ctypes.create_string_buffer(1), 1), ctypes.get_errno()

        room.start()
        print(*room.spawn(read).get())
        room.stop()
    """)
    assert said == ["1", "0"]
