"""Parents and children: what becomes of one when something happens to the other, and how children find the app."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import gevent
import labours
import pytest
from labours import PATIENCE
from test_process_lane import is_alive, until

from greenroom import Greenroom, InvalidOption, InvalidTask, Processes

pytestmark = pytest.mark.integration


class Troupe:
    """One performance of troupe.py."""

    def __init__(self, folder, act):
        self._marks = folder / "marks"
        command = [sys.executable, str(Path(__file__).with_name("troupe.py")), str(folder), act]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)

    @property
    def marks(self):
        return self._marks.read_text().splitlines() if self._marks.exists() else []

    def reach(self, beginning):
        """The first mark that begins so, once it is there."""
        found = []

        def look():
            found[:] = [mark for mark in self.marks if mark.startswith(beginning)]
            return found or self.process.poll() is not None

        until(look, beginning)
        assert found, (self.marks, self.process.communicate()[1])
        return found[0]

    def end(self):
        with gevent.Timeout(PATIENCE):
            said = self.process.communicate()[1]
        return self.marks, said


@pytest.fixture
def put_on(tmp_path):
    troupes = []

    def begin(act):
        troupes.append(Troupe(tmp_path, act))
        return troupes[-1]

    yield begin
    for troupe in troupes:
        if troupe.process.poll() is None:
            troupe.process.kill()
        troupe.process.communicate()


class TestTheEnd:
    @pytest.mark.parametrize("act", ["nap", "spin", "hold"])
    def test_a_child_dies_with_a_parent_that_is_killed(self, put_on, act):
        troupe = put_on(act)
        _, child, parent = troupe.reach({"nap": "napping", "spin": "spinning", "hold": "holding"}[act]).split()
        assert int(parent) == troupe.process.pid
        troupe.process.kill()
        until(lambda: not is_alive(int(child)), "its end")

    def test_an_idle_child_too(self, put_on):
        troupe = put_on("ask")
        _, _, child = troupe.reach("asked in").split()
        troupe.reach("SUCCESSFUL")
        troupe.process.kill()
        until(lambda: not is_alive(int(child)), "its end")

    def test_a_child_does_not_hear_a_ctrl_c_and_leaves_when_the_parent_does(self, put_on):
        troupe = put_on("nap")
        _, child, _ = troupe.reach("napping").split()
        assert os.getsid(int(child)) != os.getsid(troupe.process.pid)
        troupe.process.send_signal(signal.SIGINT)
        troupe.reach("stopped")
        until(lambda: not is_alive(int(child)), "its end")


class TestFinding:
    def test_a_main_is_run_again_under_another_name(self, put_on):
        marks, said = put_on("add").end()
        assert marks == ["imported as __main__", "imported as __mp_main__", "SUCCESSFUL 3", "ended"]
        assert said.count("is not patched for gevent") == 1

    def test_so_it_is_in_an_app_that_is_patched(self, put_on):
        marks, said = put_on("patched add").end()
        assert marks[2:] == ["SUCCESSFUL 3", "ended"]
        assert said == ""

    def test_exceptions_of_main_are_the_parents_own(self, put_on):
        marks, _ = put_on("trouble").end()
        assert marks[2:] == ["__main__.Trouble: of main", "ended"]

    def test_what_was_typed_is_refused(self):
        code = (
            "from greenroom import Greenroom\nroom = Greenroom('memory://')\n"
            "def typed(): pass\nroom.task(lane='process')(typed)"
        )
        ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        assert "InvalidTask: __main__.typed cannot run in lane 'process'" in ended.stderr
        assert "Move it into a module." in ended.stderr

    def test_what_a_child_does_not_find_is_told(self, room, declare, monkeypatch):
        task = declare(room, labours.add)
        monkeypatch.setattr(labours.add, "__qualname__", "lost")
        (error,) = task.enqueue(1).wait(PATIENCE).errors
        assert error.exception_class_path == "greenroom.errors.InvalidTask"
        assert "a child process that imports labours finds no lost there. Declare it" in error.message

    def test_so_is_a_module_that_it_cannot_import(self, room, declare, monkeypatch):
        task = declare(room, labours.add)
        monkeypatch.setattr(labours.add, "__module__", "no_such_module")
        (error,) = task.enqueue(1).wait(PATIENCE).errors
        assert "could not import no_such_module: ModuleNotFoundError" in error.message


class TestEnqueueing:
    def test_what_a_child_enqueues_runs_in_the_parent_at_once(self, put_on):
        troupe = put_on("ask")
        *_, asked = troupe.reach("asked in").split()
        *_, said = troupe.reach("said hello").split()
        assert int(said) == troupe.process.pid != int(asked)

    def test_memory_is_out_of_reach(self, put_on):
        marks, _ = put_on("memory").end()
        (told,) = [mark for mark in marks if mark.startswith("greenroom.errors.StoreUnavailable: ")]
        assert "a task in lane 'process' cannot enqueue what lives in memory" in told

    def test_so_are_volatile_tasks(self, put_on):
        marks, _ = put_on("volatile").end()
        assert [mark for mark in marks if mark.startswith("greenroom.errors.StoreUnavailable: a task in lane")]

    def test_so_are_calls(self, put_on):
        marks, _ = put_on("call").end()
        (told,) = [mark for mark in marks if mark.startswith("greenroom.errors.NotRunning: ")]
        assert "room.spawn() cannot be used by a task in lane 'process'" in told


class TestOptions:
    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"size": 0}, r"Processes\(size=0\) is out of range: use a whole number from 1 to 1000, or None."),
            ({"size": True}, "size=True"),
            ({"size": 2.0}, "size=2.0"),
            ({"max_jobs": 0}, r"max_jobs=0\) is out of range: use a whole number from 1, or None."),
            ({"max_memory": -1}, "max_memory=-1"),
            ({"idle": -1}, r"idle=-1\) is out of range: use 0 or more seconds."),
            ({"idle": float("nan")}, "idle=nan"),
            ({"idle": "60"}, "idle='60'"),
        ],
    )
    def test_that_cannot_be_are_refused_at_once(self, options, message):
        with pytest.raises(InvalidOption, match=message):
            Processes(**options)

    @pytest.mark.parametrize("size", [0, -1, "4", True, 1001])
    def test_so_is_a_size(self, size):
        with pytest.raises(InvalidOption, match=r"lanes\['process'\]="):
            Greenroom("memory://", lanes={"process": size})

    def test_processes_are_for_no_other_lane(self):
        with pytest.raises(InvalidOption, match=r"lanes\['idle'\]=Processes"):
            Greenroom("memory://", lanes={"idle": Processes(size=2)})

    def test_the_size_is_shown(self):
        assert Greenroom("memory://", lanes={"process": Processes(size=3)}).lanes["process"] == 3
        assert Greenroom("memory://", lanes={"process": Processes()}).lanes["process"] == len(os.sched_getaffinity(0))

    def test_a_local_function_is_refused(self):
        def local():
            pass

        with pytest.raises(InvalidTask, match="Move it to module level"):
            Greenroom("memory://").task(lane="process")(local)


CARELESS = """
from greenroom import Greenroom

room = Greenroom()

@room.task(lane="process", max_attempts=1)
def double(number):
    return 2 * number

room.start()
result = double.enqueue(4).wait(20)
print(len(room.find()), result.status.name, result.errors[0].traceback if result.errors else "")
room.stop(1)
"""


@pytest.mark.parametrize("program", ["careless", "imports_it"])
def test_a_program_that_enqueues_when_it_is_imported_is_told_and_does_so_once(tmp_path, program):
    patched = "from gevent import monkey\n\nmonkey.patch_all()\n"
    (tmp_path / "careless.py").write_text(patched + CARELESS)
    (tmp_path / "imports_it.py").write_text(patched + "\nimport careless\n")
    environ = {**os.environ, "GREENROOM_RUN": "1"}
    command = [sys.executable, f"{program}.py"]
    said = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=60, check=True)
    assert said.stdout.startswith("1 FAILED")
    assert "Put what it does when it is run, and not imported, under `if __name__ ==" in said.stdout
