"""The process lane: what a task does in its process reaches nobody else, and what it says reaches the parent."""

import importlib
import logging
import os
import signal
import time
from pathlib import Path

import gevent
import labours
import pytest
from labours import PATIENCE

from greenroom import Status, baggage, constant, request_id

# A module that takes its time in a child.
SLUGGISH = """
import os, time
from pathlib import Path
from greenroom.lanes import _inside

while _inside.is_child and not Path(__file__).with_name("go").exists():
    time.sleep(0.01)

def pid():
    return os.getpid()
"""

pytestmark = pytest.mark.integration


def is_alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def is_gone(pid):
    """Not even a zombie."""
    return not Path(f"/proc/{pid}").exists()


def until(happens, what="it"):
    with gevent.Timeout(PATIENCE, AssertionError(f"waited in vain for {what}")):
        while not happens():
            gevent.sleep(0.005)


def lane_of(room):
    return room._backstage.lanes["process"]


def error_of(result):
    assert result.status is Status.FAILED, (result.status, result.errors)
    return result.errors[-1]


class TestResults:
    def test_a_task_runs_in_another_process(self, run):
        assert run(labours.pid).return_value != os.getpid()

    def test_arguments_go_there_and_results_come_back(self, run):
        assert run(labours.add, 1, 2).return_value == 3

    def test_large_ones_too(self, room, declare):
        text = "x" * 900_000
        assert declare(room, labours.give_back).enqueue(text).wait(PATIENCE).return_value == text

    def test_a_process_is_used_again(self, room, declare):
        task = declare(room, labours.pid)
        assert len({task.enqueue().wait(PATIENCE).return_value for _ in range(5)}) == 1

    def test_as_many_run_at_once_as_there_are_processes(self, room, declare, tmp_path):
        task = declare(room, labours.meet)
        one, two = str(tmp_path / "one"), str(tmp_path / "two")
        results = [task.enqueue(one, two), task.enqueue(two, one)]
        assert len({result.wait(PATIENCE).return_value for result in results}) == 2

    def test_no_more_run_at_once_than_there_are(self, make_room, declare, tmp_path):
        room = make_room(size=1)
        first = declare(room, labours.nap).enqueue(str(tmp_path / "first"))
        until((tmp_path / "first").exists)
        second = declare(room, labours.mark).enqueue(str(tmp_path / "second"), "")
        gevent.sleep(0.2)
        assert not (tmp_path / "second").exists()
        first.cancel()
        assert second.wait(PATIENCE).status is Status.SUCCESSFUL

    def test_the_hub_turns_while_a_task_computes(self, room, declare, tmp_path):
        declare(room, labours.add).enqueue(1).wait(PATIENCE)
        result = declare(room, labours.spin, timeout=0.5).enqueue(str(tmp_path / "pid"))
        until((tmp_path / "pid").exists)
        latest = 0.0
        while not result.is_finished:
            begun = time.monotonic()
            gevent.sleep(0.01)
            latest = max(latest, time.monotonic() - begun)
            result.refresh()
        assert latest < 0.3


class TestErrors:
    def test_keep_their_class_their_message_and_their_traceback(self, run):
        error = error_of(run(labours.fail, "ValueError"))
        assert error.exception_class_path == "builtins.ValueError"
        assert error.message == "it broke"
        assert "in fail\n    raise RAISED[name]()" in error.traceback
        assert "_child.py" not in error.traceback

    def test_keep_what_they_came_of(self, run):
        traceback = error_of(run(labours.fail_because)).traceback
        assert "ValueError: it broke" in traceback
        assert "labours.Plain: after that" in traceback

    @pytest.mark.parametrize("name", ["SystemExit", "KeyboardInterrupt", "StopIteration"])
    def test_that_would_end_more_than_the_task_are_failures(self, room, declare, name):
        task = declare(room, labours.fail)
        assert error_of(task.enqueue(name).wait(PATIENCE)).exception_class_path == f"builtins.{name}"
        assert declare(room, labours.add).enqueue(1).wait(PATIENCE).return_value == 1

    def test_so_is_greenlet_exit(self, run):
        assert error_of(run(labours.fail, "GreenletExit")).exception_class_path.endswith("GreenletExit")

    def test_that_cannot_be_sent_are_stood_in_for(self, run):
        error = error_of(run(labours.fail, "Odd"))
        assert error.exception_class_path == "greenroom.errors.TaskProcessError"
        assert error.message == "labours.Odd: 1 and 2"
        assert "raise RAISED[name]()" in error.traceback

    @pytest.mark.parametrize(("retry_on", "attempts"), [(labours.Plain, 2), (ValueError, 1)])
    def test_are_of_their_own_class_for_retry_on(self, run, retry_on, attempts):
        options = {"max_attempts": 2, "backoff": constant(0), "retry_on": retry_on}
        assert run(labours.fail, "Plain", **options).attempts == attempts

    def test_retry_is_heard(self, run):
        assert run(labours.fail, "Retry", max_attempts=2, retry_on=()).attempts == 2

    def test_snooze_is_heard(self, room, declare):
        result = declare(room, labours.fail).enqueue("Snooze")
        until(lambda: result.refresh() or result.status is not Status.RUNNING)
        assert (result.status, list(result.errors)) == (Status.READY, [])

    def test_a_result_that_does_not_pickle_is_one(self, run):
        error = error_of(run(labours.make_lambda))
        assert error.exception_class_path == "greenroom.errors.InvalidPayload"
        assert "result of task labours.make_lambda does not serialise" in error.message

    @pytest.mark.parametrize("kind", ["volatile"], indirect=True)
    def test_so_is_an_argument_that_does_not(self, run):
        error = error_of(run(labours.add, 1, lambda: None))
        assert error.exception_class_path == "greenroom.errors.InvalidPayload"
        assert error.message.startswith("args[1] of task labours.add cannot be sent to a process: ")


class TestCarriedOver:
    def test_the_task_knows_its_attempt_and_its_context(self, room, declare):
        request_id.set("r-1")
        baggage.set({"who": "Ada"})
        result = declare(room, labours.tell, timeout=30, queue_name="mail").enqueue()
        attempt, job, queue_name, deadline, request, carried, words = result.wait(PATIENCE).return_value
        assert (attempt, queue_name, request, carried) == (1, "mail", "r-1", {"who": "Ada"})
        assert result.id.endswith(str(job))
        assert deadline > "2"
        assert words == f"task labours.tell (job {job})"
        request_id.set(None)
        baggage.set({})

    def test_nothing_is_carried_over_from_one_task_to_the_next(self, room, declare):
        task = declare(room, labours.tell)
        request_id.set("r-1")
        task.enqueue().wait(PATIENCE)
        request_id.set(None)
        assert task.enqueue().wait(PATIENCE).return_value[3:5] == [None, None]

    def test_the_attempt_is_given_to_who_takes_context(self, run):
        assert run(labours.tell_context, "hello", takes_context=True).return_value == [1, "hello"]

    def test_progress_is_seen_while_the_task_runs(self, room, declare, tmp_path):
        result = declare(room, labours.go_on).enqueue(str(tmp_path / "go"))
        until(lambda: result.refresh() or result.progress is not None, "progress")
        assert (result.progress.done, result.progress.note) == (1, "begun")
        (tmp_path / "go").touch()
        assert result.wait(PATIENCE).progress.done == 3

    def test_log_records_are_handled_by_the_parents_loggers(self, run, caplog):
        with caplog.at_level(logging.INFO):
            run(labours.log_some)
        told = [record for record in caplog.records if record.name == "labours"]
        assert [record.getMessage() for record in told] == ["loudly [2]", "it went wrong"]
        assert told[0].process != os.getpid()
        assert told[0].thing.startswith("<object")
        assert "ValueError: it broke" in told[1].exc_text

    def test_at_the_level_that_they_have_just_now(self, room, declare, caplog):
        task = declare(room, labours.log_some)
        with caplog.at_level(logging.DEBUG, "labours"):
            task.enqueue().wait(PATIENCE)
        with caplog.at_level(logging.ERROR, "labours"):
            task.enqueue().wait(PATIENCE)
        told = [record.levelname for record in caplog.records if record.name == "labours"]
        assert told == ["DEBUG", "WARNING", "ERROR", "ERROR"]

    def test_threads_of_the_task_may_log_too(self, run, caplog):
        run(labours.log_in_a_thread)
        assert sorted(record.getMessage() for record in caplog.records if record.name == "labours") == list(
            "01234567"
        )

    def test_the_path_and_the_folder_are_those_of_the_parent(self, run):
        import sys

        assert run(labours.path).return_value == [sys.path, str(Path.cwd()), sys.argv]

    def test_open_files_are_not(self, room, declare, tmp_path):
        with (tmp_path / "secret").open("w") as file:
            os.set_inheritable(file.fileno(), True)
            seen = declare(room, labours.open_files).enqueue().wait(PATIENCE).return_value
        assert not [name for name in seen if "secret" in name]

    def test_the_child_is_not_patched(self, run):
        assert run(labours.is_patched).return_value is False

    def test_the_kernel_will_sooner_kill_it_than_the_site(self, run):
        assert run(labours.oom_score).return_value == 500


class TestEndings:
    def test_a_timeout_ends_an_endless_loop(self, room, declare, tmp_path, stopwatch):
        declare(room, labours.add).enqueue(1).wait(PATIENCE)
        stopwatch.start()
        result = declare(room, labours.spin, timeout=1).enqueue(str(tmp_path / "pid")).wait(PATIENCE)
        assert stopwatch.seconds < 1.5
        assert error_of(result).exception_class_path == "builtins.TimeoutError"
        assert declare(room, labours.add, name="again").enqueue(1).wait(PATIENCE).return_value == 1

    def test_also_one_that_will_not_be_told(self, room, declare, tmp_path, stopwatch):
        declare(room, labours.add).enqueue(1).wait(PATIENCE)
        stopwatch.start()
        result = declare(room, labours.spin_whatever_comes, timeout=1).enqueue(str(tmp_path / "pid")).wait(PATIENCE)
        assert stopwatch.seconds < 1.5
        assert error_of(result).exception_class_path == "builtins.TimeoutError"
        until(lambda: is_gone(int((tmp_path / "pid").read_text())), "its end")
        assert declare(room, labours.add, name="again").enqueue(1).wait(PATIENCE).return_value == 1

    @pytest.mark.parametrize("func", [labours.nap, labours.spin, labours.spin_whatever_comes])
    def test_a_cancelled_task_ends(self, room, declare, tmp_path, stopwatch, func):
        result = declare(room, func).enqueue(str(tmp_path / "pid"))
        until((tmp_path / "pid").exists)
        result.cancel("enough")
        stopwatch.start()
        assert result.wait(PATIENCE).status is Status.CANCELLED
        assert stopwatch.seconds < 1.0
        until(lane_of(room).is_empty)

    def test_one_that_gives_way_hears_of_it_there(self, room, declare, tmp_path):
        result = declare(room, labours.carry_on_unless_told).enqueue(str(tmp_path / "pid"))
        until((tmp_path / "pid").exists)
        result.cancel()
        assert result.wait(PATIENCE).status is Status.CANCELLED

    def test_a_task_may_clean_up_and_its_process_lives_on(self, room, declare, tmp_path):
        declare(room, labours.add).enqueue(1).wait(PATIENCE)  # the time that a process takes to start counts too
        result = declare(room, labours.clean_up, timeout=0.5).enqueue(str(tmp_path / "pid"), str(tmp_path / "what"))
        result.wait(PATIENCE)
        assert (tmp_path / "what").read_text() == "Overdue\n"
        assert declare(room, labours.pid).enqueue().wait(PATIENCE).return_value == int((tmp_path / "pid").read_text())

    def test_the_room_stops_with_a_task_that_never_ends(self, room, declare, tmp_path, stopwatch):
        declare(room, labours.spin_whatever_comes).enqueue(str(tmp_path / "pid"))
        until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text(), "its number")
        stopwatch.start()
        room.stop(0)
        assert stopwatch.seconds < 4
        assert is_gone(int((tmp_path / "pid").read_text()))

    def test_it_leaves_no_process_behind(self, room, declare, tmp_path):
        task = declare(room, labours.meet)
        one, two = str(tmp_path / "one"), str(tmp_path / "two")
        pids = [result.wait(PATIENCE).return_value for result in [task.enqueue(one, two), task.enqueue(two, one)]]
        room.stop()
        assert all(map(is_gone, pids))

    def test_a_drain_lets_tasks_end(self, room, declare, tmp_path):
        result = declare(room, labours.nap).enqueue(str(tmp_path / "pid"), 0.3)
        until((tmp_path / "pid").exists)
        waiting = gevent.spawn(result.wait, PATIENCE)
        gevent.idle()
        room.stop(10)
        assert waiting.get().status is Status.SUCCESSFUL


class TestDeaths:
    @pytest.mark.parametrize(
        ("func", "args", "how"),
        [
            (labours.crash, (), "died of SIGSEGV while it ran task labours.crash"),
            (labours.leave, (3,), "ended with exit code 3 while it ran task labours.leave"),
            (labours.leave, (0,), "ended with exit code 0 while it ran task labours.leave"),
            (labours.kill_itself, (9,), "died of SIGKILL while it ran task labours.kill_itself"),
        ],
    )
    def test_cost_an_attempt_and_say_how(self, room, declare, func, args, how):
        error = error_of(declare(room, func).enqueue(*args).wait(PATIENCE))
        assert error.exception_class_path == "greenroom.errors.ProcessDied"
        assert how in error.message
        assert declare(room, labours.add).enqueue(1).wait(PATIENCE).return_value == 1

    def test_of_memory_say_how_much_it_was(self, make_room, declare):
        room = make_room(max_memory=150_000_000)
        error = error_of(declare(room, labours.eat).enqueue(1000).wait(PATIENCE))
        assert error.exception_class_path == "greenroom.errors.ProcessDied"
        assert "was killed while it ran task labours.eat: it used " in error.message
        assert "MB of max_memory=150 MB" in error.message

    def test_leave_the_others_alone(self, make_room, declare, tmp_path):
        room = make_room(size=4, max_memory=150_000_000)
        meet = declare(room, labours.meet).enqueue(str(tmp_path / "here"), str(tmp_path / "there"))
        until((tmp_path / "here").exists)
        deaths = [
            declare(room, labours.crash).enqueue(),
            declare(room, labours.leave).enqueue(3),
            declare(room, labours.eat).enqueue(1000),
        ]
        assert [error_of(result.wait(PATIENCE)).exception_class_path for result in deaths] == [
            "greenroom.errors.ProcessDied"
        ] * 3
        (tmp_path / "there").touch()
        assert meet.wait(PATIENCE).status is Status.SUCCESSFUL

    def test_of_an_idle_process_are_made_good(self, room, declare):
        task = declare(room, labours.pid)
        first = task.enqueue().wait(PATIENCE).return_value
        os.kill(first, signal.SIGKILL)
        until(lambda: is_gone(first))
        assert task.enqueue().wait(PATIENCE).return_value != first

    def test_is_noticed_while_a_grandchild_holds_the_connection(self, room, declare, tmp_path):
        begun = time.monotonic()
        error = error_of(declare(room, labours.leave_somebody_behind).enqueue(str(tmp_path / "pid")).wait(PATIENCE))
        assert "ended with exit code 4" in error.message
        assert time.monotonic() - begun < 10
        os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)

    def test_sigterm_does_not_cause_one(self, run):
        error = error_of(run(labours.nap_through_sigterm))
        assert error.message == "went on"


class TestHelpers:
    def test_one_that_is_slow_to_import_is_left_to_it_by_a_task_that_cannot_wait(
        self, make_room, declare, tmp_path, monkeypatch
    ):
        (tmp_path / "sluggish.py").write_text(SLUGGISH)
        monkeypatch.syspath_prepend(tmp_path)
        sluggish = importlib.import_module("sluggish")
        room = make_room(size=1)
        task = declare(room, sluggish.pid, timeout=0.3)
        assert error_of(task.enqueue().wait(PATIENCE)).exception_class_path == "builtins.TimeoutError"
        (only,) = lane_of(room)._helpers
        (tmp_path / "go").touch()
        again = declare(room, sluggish.pid, name="again", timeout=20)
        assert again.enqueue().wait(PATIENCE).return_value == only.process.pid

    def test_one_that_is_idle_for_long_is_ended(self, make_room, declare):
        room = make_room(idle=0.2)
        first = declare(room, labours.pid).enqueue().wait(PATIENCE).return_value
        until(lambda: is_gone(first), "its end")
        assert not lane_of(room)._idle_ends.active
        assert declare(room, labours.add).enqueue(1).wait(PATIENCE).return_value == 1

    def test_each_has_its_own_time(self, make_room, declare, tmp_path):
        room = make_room(idle=0.5)
        here, there = str(tmp_path / "here"), str(tmp_path / "there")
        short = declare(room, labours.meet).enqueue(here, there)
        until((tmp_path / "here").exists)
        long = declare(room, labours.nap).enqueue(there, 0.3)
        first = short.wait(PATIENCE).return_value
        assert long.wait(PATIENCE).status is Status.SUCCESSFUL
        second = int((tmp_path / "there").read_text())
        until(lambda: is_gone(first), "its end")
        assert is_alive(second)
        until(lambda: is_gone(second), "its end")

    def test_one_that_had_its_jobs_is_replaced(self, make_room, declare):
        task = declare(make_room(max_jobs=2, size=1), labours.pid)
        one, two, three, four = [task.enqueue().wait(PATIENCE).return_value for _ in range(4)]
        assert one == two != three == four

    def test_one_that_has_grown_is_replaced(self, make_room, declare):
        task = declare(make_room(max_memory=1, size=1), labours.pid)
        # Over its limit from the start, but the first look is a moment later.
        results = [task.enqueue().wait(PATIENCE) for _ in range(2)]
        assert results[0].return_value != results[1].return_value
