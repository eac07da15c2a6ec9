"""The board: what is queued, running, done and failed, as a person would like to read it."""

from dataclasses import dataclass
from datetime import UTC, datetime

from flask import Blueprint, jsonify, render_template

from examples.site.room import room
from greenroom import Status, TaskResult

pages = Blueprint("board", __name__)

WORDS = {
    Status.READY: "queued",
    Status.RUNNING: "running",
    Status.SUCCESSFUL: "done",
    Status.FAILED: "failed",
    Status.CANCELLED: "cancelled",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One job on the board."""

    number: str
    task: str
    word: str
    attempts: int
    detail: str
    percent: float | None


@pages.get("/board")
def board():
    lines = [line_of(result, datetime.now(UTC)) for result in room.find(limit=14)]
    return render_template("_board.html", lines=lines, counts=counted())


@pages.get("/board.json")
def numbers():
    return jsonify(counted())


def counted() -> dict[str, int]:
    counts = room.counts()
    return {word: counts.get(status, 0) for status, word in WORDS.items()}


def line_of(result: TaskResult, now: datetime) -> Line:
    progress = result.progress if result.status is Status.RUNNING else None
    return Line(
        number=result.id,
        task=result.task_name.rpartition(".")[2],
        word=WORDS[result.status],
        attempts=result.attempts,
        detail=detail_of(result, now),
        percent=100 * progress.done / progress.total if progress and progress.total else None,
    )


def detail_of(result: TaskResult, now: datetime) -> str:
    match result.status:
        case Status.READY if result.is_parked or result.run_after <= now:
            return result.note or "as soon as there is room"
        case Status.READY:
            wait = (result.run_after - now).total_seconds()
            return f"{'again ' if result.errors else ''}in {wait:.0f} s"
        case Status.RUNNING:
            return result.progress.note if result.progress else ""
        case Status.SUCCESSFUL:
            return f"{(result.finished_at - result.started_at).total_seconds():.2f} s"
        case Status.FAILED:
            return result.errors[-1].message
        case Status.CANCELLED:
            return result.note or ""
