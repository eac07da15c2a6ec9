"""Every lane does what lanes must do."""

from greenroom.testing import LaneSuite


class TestGreenletLane(LaneSuite):
    lane = "greenlet"


class TestIdleLane(LaneSuite):
    lane = "idle"


class TestThreadLane(LaneSuite):
    lane = "thread"


class TestProcessLane(LaneSuite):
    lane = "process"
