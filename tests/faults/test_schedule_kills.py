import random
import sys

import pytest

from tests.faults.schedule_kills import run

pytestmark = [pytest.mark.integration, pytest.mark.slow]


def test_of_three_processes_that_are_killed_at_random_each_slot_of_a_day_is_enqueued_once(tmp_path):
    tally = run(days=1, seconds=12, seed=random.randrange(1 << 32), folder=tmp_path)

    sys.stdout.write(str(tally))
    assert tally.is_good, str(tally)
    assert tally.slots > 1400
    assert tally.kills >= 3
