"""Lanes: places in the process where work may run without getting in the way of requests."""

from greenroom.lanes.base import Carry, Errand, Lane, LaneState, VolatileWork, Work, breath
from greenroom.lanes.greenlet import GreenletLane
from greenroom.lanes.idle import IdleLane
from greenroom.lanes.process import Processes, ProcessLane
from greenroom.lanes.thread import Stuck, ThreadLane

__all__ = [
    "Carry",
    "Errand",
    "GreenletLane",
    "IdleLane",
    "Lane",
    "LaneState",
    "ProcessLane",
    "Processes",
    "Stuck",
    "ThreadLane",
    "VolatileWork",
    "Work",
    "breath",
]
