"""A history, put in order for those who judge it: its events by kind, and the runs of each job."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import inf

from tests.faults.recorder import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of a job: from its start to its end, or to the end of its process as far as that is known."""

    id: str
    key: str | None
    attempt: int
    worker: int | None
    pid: int
    begins: float
    ends: float
    is_given_back: bool  # so that it cost no attempt


@dataclass(slots=True)
class History:
    """The events, put in order for those who judge."""

    events: Sequence[Event]
    by_kind: defaultdict[str, list[Event]] = field(default_factory=lambda: defaultdict(list))
    runs: defaultdict[str, list[Run]] = field(default_factory=lambda: defaultdict(list))  # by job

    def __post_init__(self) -> None:
        for event in self.events:
            self.by_kind[event.what].append(event)
        gone: dict[int, float] = {}
        for event in [*self.by_kind["kill"], *self.by_kind["frozen"]]:
            gone[event.pid] = min(event.t, gone.get(event.pid, inf))
        drained = {event.pid for event in self.by_kind["drained"]}
        ends = {_run_of(end): end for kind in ("end", "raised") for end in self.by_kind[kind]}
        for start in self.by_kind["start"]:
            end = ends.get(_run_of(start))
            self.runs[start.id].append(
                Run(
                    id=start.id,
                    key=start.key,
                    attempt=start.attempt,
                    worker=start.worker,
                    pid=start.pid,
                    begins=start.t,
                    ends=min(end.t if end else inf, max(gone.get(start.pid, inf), start.t)),
                    is_given_back=_gives_back(end) if end else start.pid in drained,
                )
            )

    @property
    def acknowledged(self) -> dict[str, str]:
        """Keys by id."""
        return {event.id: event.key for event in self.by_kind["ack"]}


def _run_of(event: Event) -> tuple:
    return event.id, event.attempt, event.worker, event.pid


def _gives_back(end: Event) -> bool:
    return str(end.more.get("error")).startswith(("Snooze(", "Stopped(", "ShuttingDown("))
