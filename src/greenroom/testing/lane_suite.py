# ruff: noqa: S101 - a test is its name and what it asserts
"""LaneSuite: what every lane must do, as tests.

Whoever writes a lane runs it:

class TestThreadLane(LaneSuite):
    lane = "thread"
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
from gevent import Timeout
from gevent.event import Event

from greenroom import Greenroom, Progress, Status, TaskResult, constant
from greenroom.context import baggage, request_id
from greenroom.testing import lane_tasks
from greenroom.testing.lane_tasks import FATAL, Folder

PATIENCE = 30.0  # seconds until what has not come about is taken for broken: a process takes its time to start
SIZE = 2

Run = Callable[..., TaskResult[Any]]


def until(happens: Callable[[], object]) -> None:
    """Let the others run until `happens()` is true."""
    with Timeout(PATIENCE, AssertionError("waited in vain")):
        while not happens():
            Event().wait(0.003)


class LaneSuite:
    """Judges a lane by what becomes of the tasks in it. A subclass names it as `lane`."""

    lane: ClassVar[str]

    @pytest.fixture(params=["durable", "volatile"])
    def is_durable(self, request: pytest.FixtureRequest) -> bool:
        return bool(request.param == "durable")

    @pytest.fixture
    def path(self, tmp_path: Path) -> str:
        """A folder for a test and its tasks."""
        return str(tmp_path)

    @pytest.fixture
    def folder(self, path: str) -> Folder:
        return Folder(path)

    @pytest.fixture
    def room(self, folder: Folder) -> Iterator[Greenroom]:
        """A room that runs, in whose lane two things can run at once."""
        room = Greenroom("memory://", lanes={self.lane: SIZE})
        room.start()
        yield room
        folder.leave("curtain")
        room.stop(0)

    @pytest.fixture
    def start(self, room: Greenroom, *, is_durable: bool) -> Run:
        """Enqueues a task made of a function."""

        def start(func: Callable[..., Any], *args: Any, **options: Any) -> TaskResult[Any]:
            name = f"{func.__name__} {len(room.tasks)}"
            chosen = {"name": name, "max_attempts": 1, "backoff": constant(0), "durable": is_durable, **options}
            result: TaskResult[Any] = room.task(lane=self.lane, **chosen)(func).enqueue(*args)
            return result

        return start

    @pytest.fixture
    def run(self, start: Run) -> Run:
        """The same, and waits until it has finished."""
        return lambda func, *args, **options: start(func, *args, **options).wait(PATIENCE)

    @pytest.fixture(autouse=True)
    def _its_slots_are_free_again(self, start: Run, tmp_path: Path) -> Iterator[None]:
        yield
        (tmp_path / "afterwards").mkdir()
        folder = Folder(str(tmp_path / "afterwards"))
        results = [start(lane_tasks.stay, folder.path) for _ in range(SIZE)]
        until(lambda: folder.count("came") == SIZE)
        folder.leave("curtain")
        for result in results:
            assert result.wait(PATIENCE).return_value == "stayed"

    def test_a_task_returns_its_result(self, run: Run) -> None:
        assert run(lane_tasks.add, 1, 2).return_value == 3  # noqa: PLR2004

    def test_what_it_raises_is_told_with_the_lines_that_raised_it(self, run: Run) -> None:
        result = run(lane_tasks.break_down, "it broke")
        assert result.status is Status.FAILED
        error = result.errors[-1]
        assert (error.exception_class_path, error.message) == ("builtins.ValueError", "it broke")
        assert "in break_down" in error.traceback
        assert "raise ValueError(message)" in error.traceback

    def test_it_is_tried_again_until_it_succeeds(self, run: Run, path: str) -> None:
        result = run(lane_tasks.succeed_at, path, 3, max_attempts=5)
        assert (result.return_value, result.attempts) == (3, 3)

    def test_it_is_tried_as_often_as_it_may_be(self, run: Run, path: str) -> None:
        result = run(lane_tasks.succeed_at, path, 3, max_attempts=2)
        assert (result.status, result.attempts) == (Status.FAILED, 2)

    @pytest.mark.parametrize(("retry_on", "attempts"), [(ConnectionError, 2), (OSError, 2), (ValueError, 1)])
    def test_it_is_tried_again_for_the_errors_that_it_names(
        self, run: Run, path: str, retry_on: type[Exception], attempts: int
    ) -> None:
        assert run(lane_tasks.succeed_at, path, 2, max_attempts=3, retry_on=retry_on).attempts == attempts

    def test_its_timeout_ends_it(self, run: Run, path: str) -> None:
        result = run(lane_tasks.stay, path, timeout=0.2, name="stay")
        assert result.status is Status.FAILED
        assert result.errors[0].exception_class_path == "builtins.TimeoutError"
        assert result.errors[0].message == "task stay ran longer than its timeout of 0.2 s"

    def test_it_can_be_cancelled_while_it_runs(self, start: Run, path: str, folder: Folder) -> None:
        result = start(lane_tasks.stay, path)
        until(lambda: folder.count("came"))
        assert result.cancel("enough") is True
        assert result.wait(PATIENCE).status is Status.CANCELLED
        assert (result.note, result.errors) == ("enough", ())

    def test_it_sees_what_its_enqueuer_had_set(self, run: Run) -> None:
        tokens = request_id.set("request 7"), baggage.set({"tenant": "Ada"})
        try:
            result = run(lane_tasks.tell_what_was_carried)
        finally:
            request_id.reset(tokens[0])
            baggage.reset(tokens[1])
        assert result.return_value == ["request 7", {"tenant": "Ada"}]

    def test_it_knows_which_attempt_it_is(self, run: Run, path: str) -> None:
        assert run(lane_tasks.tell_attempts, path, max_attempts=2).return_value == [2, 2]

    def test_it_may_be_given_its_context(self, run: Run) -> None:
        assert run(lane_tasks.tell_context, "word", takes_context=True).return_value == [1, True, "word"]

    def test_its_progress_is_seen_while_it_runs(self, start: Run, path: str, folder: Folder) -> None:
        result = start(lane_tasks.report_and_stay, path)
        until(lambda: folder.count("came"))

        def is_seen() -> bool:
            result.refresh()
            return result.progress is not None

        until(is_seen)
        assert result.progress == Progress(3, 4, "rows")
        assert result.status is Status.RUNNING
        folder.leave("curtain")
        assert result.wait(PATIENCE).return_value == "stayed"

    def test_what_it_logs_reaches_the_handlers_of_the_app(self, run: Run, caplog: pytest.LogCaptureFixture) -> None:
        run(lane_tasks.write_to_the_log, "from backstage")
        until(lambda: "from backstage" in caplog.messages)

    @pytest.mark.parametrize("name", FATAL)
    def test_what_would_end_a_thread_or_a_process_fails_it(self, run: Run, name: str) -> None:
        result = run(lane_tasks.raise_fatal, name)
        assert result.status is Status.FAILED
        assert result.errors[0].exception_class_path.split(".")[-1] == name

    def test_as_many_run_at_once_as_it_has_slots(self, start: Run, path: str, folder: Folder) -> None:
        results = [start(lane_tasks.stay, path) for _ in range(SIZE + 1)]
        until(lambda: folder.count("came") == SIZE)
        folder.leave("curtain")
        for result in results:
            assert result.wait(PATIENCE).return_value == "stayed"

    def test_no_more_run_at_once(self, start: Run, path: str) -> None:
        results = [start(lane_tasks.count_those_present, path) for _ in range(5 * SIZE)]
        assert max(result.wait(PATIENCE).return_value for result in results) <= SIZE
