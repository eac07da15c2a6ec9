"""Of what a process did whose lease had run out, nothing is accepted when it goes on."""

import random
import sys

import pytest

from tests.faults import stops

STOPS = 50


@pytest.mark.slow
@pytest.mark.integration
def test_no_stale_write_of_a_stopped_process_is_accepted(tmp_path):
    tally = stops.run(stops=STOPS, seed=random.randrange(1 << 32), folder=tmp_path)
    sys.stdout.write(str(tally))
    assert tally.accepted == 0, str(tally)
    assert not tally.report.broken, str(tally)
    assert tally.refused, "no process had anything to say that was stale: this has shown nothing"
