"""A piece of work, as found on the stack of whatever runs: what it is, and whether it may be put aside."""

from __future__ import annotations

from collections.abc import Callable
from dis import opmap
from types import FrameType
from typing import Any, NamedTuple

from greenroom._call import Call
from greenroom.lanes import Errand

# Frames of these, between the work's own function and the top, mean that it must not be put aside: the greenlet may
# be linked to a lock and not yet switched out (gevent), hold the import lock, or that of a handler of the log which
# the hub cannot wait for, run a loop that is the thread's (asyncio), or be under the eyes of a debugger.
_NOT_WITHIN = frozenset(
    (
        *("gevent", "greenlet", "greenroom", "importlib", "_frozen_importlib", "_frozen_importlib_external"),
        *("logging", "asyncio", "bdb", "pdb", "coverage", "pydevd", "_pydevd_bundle", "debugpy"),
    )
)
# But for these: what lies between a request and the app waits for nothing by itself.
_HARMLESS = ("greenroom.track", "greenroom.testing.", "greenroom.server.", "gevent.pywsgi")

# Where CPython looks for signals. It does after calls too, but there it cannot be told from looking inside of them.
_SAFE = frozenset(code for name, code in opmap.items() if name == "RESUME" or "JUMP_BACKWARD" in name)
# Python 3.11 does a comparison that ends a loop in one step with the jump, and counts it as the comparison.
_COMPARE, _AFTER_COMPARE = opmap["COMPARE_OP"], 6
_BACK = frozenset(code for name, code in opmap.items() if name.startswith("POP_JUMP_BACKWARD"))
_DELICATE = frozenset(("__enter__", "__exit__", "__del__"))  # where an exception, thrown in, would do the most harm


class Piece(NamedTuple):
    """`frame` is the boundary: the last of our machinery before the user's code. `at` is the top."""

    name: str
    kind: str  # "task", "call", "request", or "other" for what is none of ours
    at: FrameType
    frame: FrameType | None = None
    is_preemptible: bool = False
    is_clean: bool = True  # whether nothing lies between that must not be put aside
    priority: int = 0


# What makes a piece of a boundary's frame, by the id of its code (to hash the code itself takes long).
_boundaries: dict[int, Callable[[FrameType], Piece]] = {}


def boundary(function: Callable[..., Any], make: Callable[[FrameType], Piece]) -> None:
    """Make known that `function` is what calls the user's code, and what to make of its frame."""
    _boundaries[id(function.__code__)] = make


def find_boundary(top: FrameType) -> FrameType | None:
    """The frame of the boundary under `top`, by which one piece of work is told from another."""
    frame: FrameType | None = top
    while frame is not None and id(frame.f_code) not in _boundaries:
        frame = frame.f_back
    return frame


def find_piece(top: FrameType) -> Piece:
    """What work the stack under `top` belongs to."""
    is_clean = True
    frame: FrameType | None = top
    while frame is not None:
        make = _boundaries.get(id(frame.f_code))
        if make is not None:
            return make(frame)._replace(at=top, frame=frame, is_clean=is_clean)
        is_clean = is_clean and _may_be_within(frame.f_globals.get("__name__") or "")
        bottom, frame = frame, frame.f_back
    return Piece(f"{bottom.f_globals.get('__name__')}.{bottom.f_code.co_qualname}", "other", top)


def is_at_check(frame: FrameType) -> bool:
    """Whether the frame is at an instruction where the interpreter itself has looked for signals."""
    code, at = frame.f_code.co_code, frame.f_lasti
    is_check = code[at] in _SAFE or (code[at] == _COMPARE and code[at + _AFTER_COMPARE] in _BACK)
    return is_check and frame.f_code.co_name not in _DELICATE


_verdicts: dict[str, bool] = {}


def _may_be_within(module: str) -> bool:
    verdict = _verdicts.get(module)
    if verdict is None:
        verdict = module.partition(".")[0] not in _NOT_WITHIN or module.startswith(_HARMLESS)
        _verdicts[module] = verdict
    return verdict


def _errand(frame: FrameType) -> Piece:
    errand: Errand = frame.f_locals["self"]
    return Piece(
        errand.task.name, "task", frame, is_preemptible=errand.task.preempt, priority=errand.attempt.priority
    )


def _call(frame: FrameType) -> Piece:
    call: Call[Any] = frame.f_locals["self"]
    lane = frame.f_back.f_locals.get("self") if frame.f_back else None
    return Piece(call.name, "call", frame, is_preemptible=getattr(lane, "preempts_calls", False))


boundary(Errand.do, _errand)
boundary(Call.run, _call)
