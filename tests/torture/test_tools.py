"""The tools that look on while a program runs see under pre-emption what they see without."""

import importlib.util

import pytest
from programs import say

pytestmark = pytest.mark.integration

# Eight tasks that compute in two functions, alike.
EIGHT = """
def inner(number):
    total = 0
    for n in range(number):
        total += n % 7
    return total

def outer(rounds):
    found = 0
    for _ in range(rounds):
        found += inner(2000)
        found -= inner(1000)
    return found

def eight():
    room.start()
    calls = [room.spawn(outer, 400) for _ in range(8)]
    found = {call.get() for call in calls}
    room.stop()
    return found
"""


def test_cprofile_counts_every_call_and_its_times_add_up():
    said = say(f"""
{EIGHT}
import cProfile, pstats
profile = cProfile.Profile()
began = time.perf_counter()
profile.enable()
found = eight()
profile.disable()
took = time.perf_counter() - began
stats = {{name: row for (_, _, name), row in pstats.Stats(profile).stats.items()}}
own = sum(row[2] for row in stats.values())
print(guard_here().preemptions > 50, len(found))
print(stats["inner"][1], stats["outer"][1])
print(all(row[2] >= 0 and row[3] >= 0 for row in stats.values()), 0.5 * took < own < 1.05 * took)
print(stats["inner"][2] > 0.6 * own)
""")
    assert said == ["True", "1", "6400", "8", "True", "True", "True"]


def test_while_a_python_function_traces_nothing_is_put_aside():
    said = say(f"""
{EIGHT}
lines = []
def trace(frame, event, arg):
    if frame.f_code.co_name in ("inner", "outer"):
        lines.append((frame.f_code.co_name, frame.f_lineno))
        return trace

sys.settrace(trace)
room.start()
calls = [room.spawn(outer, 2) for _ in range(8)]
found = {{call.get() for call in calls}}
traced = guard_here().preemptions
sys.settrace(None)
one = lines[: len(lines) // 8]
print(traced, len(found), lines == one * 8, len(one) > 4000)
room.spawn(outer, 200).get()
print(guard_here().preemptions > 5)
room.stop()
""")
    assert said == ["0", "1", "True", "True", "True"]


@pytest.mark.skipif(importlib.util.find_spec("coverage") is None, reason="coverage is not installed")
@pytest.mark.parametrize("concurrency", ["gevent", "thread"])
def test_coverage_sees_the_same_lines(tmp_path, concurrency):
    def lines(beginning):
        return say(
            f"""
{beginning}
import coverage
measured = coverage.Coverage(data_file=None, concurrency="{concurrency}", branch=True)
measured.start()
import measured_one, measured_two
room.start()
calls = [room.spawn(each.work, n) for n in range(4) for each in (measured_one, measured_two)]
found = [call.get() for call in calls]
measured.stop()
data = measured.get_data()
for name in ("one", "two"):
    path = next(path for path in data.measured_files() if path.endswith(f"measured_{{name}}.py"))
    print(name, *sorted(data.arcs(path)))
room.stop()
""",
            folder=tmp_path,
        )

    for name, other in (("one", "x"), ("two", "y")):
        (tmp_path / f"measured_{name}.py").write_text(MEASURED.replace("NAME", other))
    without = lines('room = Greenroom("memory://", preempt=False)')
    assert lines("") == without


MEASURED = """\
def helper_NAME(n):
    if n % 3:
        return n
    return -n


def work(number):
    total = 0
    for n in range(60_000):
        if n % 1000 == number:
            total += 1
        elif n < 0:
            total = helper_NAME(0)
        total += helper_NAME(n)
    while number:
        number -= 1
    return total
"""


def test_who_wants_the_interval_timer_has_it():
    # As pytest-timeout does, and much else that limits a program's time.
    said = say("""
        take_signals(signal.SIGALRM)
        room.start()
        signal.setitimer(signal.ITIMER_REAL, 0.1, 0.1)
        room.spawn(spin, 0.55).get()
        signal.setitimer(signal.ITIMER_REAL, 0)
        print(len(heard) in (4, 5, 6), guard_here().preemptions > 50)
        room.stop()
    """)
    assert said == ["True", "True"]


def test_who_wants_the_stacks_after_a_while_gets_them():
    # In the midst of C calls: faulthandler's thread reads the stacks with no lock, and dies of a frame in the making.
    # Beside Python code it does so once in some tens of times, with pre-emption and without.
    said = say("""
        import faulthandler, hashlib, tempfile

        def compute_in_c(seconds):
            ends = time.monotonic() + seconds
            while time.monotonic() < ends:
                hashlib.pbkdf2_hmac("sha256", b"", b"", 200_000)  # 50 ms or so

        def compute_until_preempted():
            before = guard_here().preemptions
            while guard_here().preemptions < before + 25:
                pass

        def compute():
            compute_until_preempted()
            faulthandler.dump_traceback_later(0.1, repeat=True, file=file)
            began = time.monotonic()
            compute_in_c(0.4)
            faulthandler.cancel_dump_traceback_later()
            took.append(time.monotonic() - began)
            compute_until_preempted()

        took = []
        with tempfile.TemporaryFile("w+") as file:
            room.start()
            room.spawn(compute).get()
            room.stop()
            file.seek(0)
            shown = file.read()
        print(2 <= shown.count("Timeout") <= took[0] / 0.1 + 1, "in compute_in_c" in shown)
        print(faulthandler.is_enabled())
    """)
    assert said == ["True", "True", "False"]
