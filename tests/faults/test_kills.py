"""However often a process is killed, nothing acknowledged is lost, and what was interrupted runs again at once."""

import random
import sys

import pytest

from tests.faults import kills
from tests.faults.recorder import Event

KILLS = 60


@pytest.mark.slow
@pytest.mark.integration
def test_nothing_is_lost_however_often_a_process_is_killed(tmp_path):
    tally = kills.run(kills=KILLS, seed=random.randrange(1 << 32), folder=tmp_path)
    sys.stdout.write(str(tally))
    assert tally.is_clean, str(tally)
    assert tally.delays, "no kill met a job that was running: this has shown nothing"


def event(what, t, pid, **said):
    return Event(what=what, t=t, pid=pid, id=said.pop("id", None), more=said)


def test_what_was_interrupted_is_timed_from_the_start_of_the_process_that_runs_it_again():
    events = [
        event("begun", 0.1, 1, began=0.0),
        event("start", 0.5, 1, id="a", crashes=0),
        event("start", 0.6, 1, id="b", crashes=0),
        event("begun", 2.1, 2, began=2.0),
        event("up", 2.4, 2),
        event("start", 2.5, 2, id="a", crashes=1),
        event("raised", 2.6, 2, id="a"),
        event("start", 2.7, 2, id="a", crashes=1),  # not after a crash
        event("begun", 4.1, 3, began=4.0),
        event("up", 4.1, 3),
        event("start", 4.3, 3, id="b", crashes=1),
        event("start", 8.0, 3, id="a", crashes=2),  # a suspect, and late on purpose
    ]
    first, second = kills.returns(events)
    assert first == pytest.approx((0.5, 0.1))
    assert second == pytest.approx((0.3, 0.2))
