"""Lanes: places in the process where work may run without getting in the way of requests."""

from greenroom.lanes.base import Carry, Errand, Lane, LaneState, VolatileWork, Work, breath
from greenroom.lanes.greenlet import GreenletLane
from greenroom.lanes.idle import IdleLane

__all__ = ["Carry", "Errand", "GreenletLane", "IdleLane", "Lane", "LaneState", "VolatileWork", "Work", "breath"]
