"""The janitor's watch: nobody is called stalled because time jumped."""

import pytest

from greenroom._janitor import Watch
from greenroom.clock import SECOND


class Clock:
    """Told what both of its times are."""

    passes = True

    def __init__(self):
        self.wall, self.steady = 1000.0, 50.0

    def now(self):
        return int(self.wall * SECOND)

    def monotonic(self):
        return self.steady

    def go(self, wall, steady):
        self.wall += wall
        self.steady += steady


def test_nobody_is_called_stalled_by_one_who_has_not_watched_for_long_enough():
    clock = Clock()
    watch = Watch(clock)
    assert watch.seconds() == 0
    clock.go(10, 10)
    assert watch.seconds() == 10
    clock.go(10.1, 10)  # a clock that is a little fast
    assert watch.seconds() == 20


@pytest.mark.parametrize("jump", [3600, -3600, 10])
def test_the_watch_begins_anew_when_the_clock_is_set_or_the_machine_has_slept(jump):
    clock = Clock()
    watch = Watch(clock)
    watch.seconds()
    clock.go(10 + jump, 10)
    assert watch.seconds() == 0
    clock.go(5, 5)
    assert watch.seconds() == 5
