import random
import sys

import pytest

from tests.faults.schedule_days import run

pytestmark = [pytest.mark.slow]


def test_on_days_of_change_and_when_the_clock_is_set_each_slot_is_enqueued_once():
    seed = random.randrange(1 << 32)
    tally = run(seed=seed)

    sys.stdout.write(f"seed {seed}: {tally}")
    assert tally.is_good, (seed, tally.missing[:5], tally.twice[:5], tally.wrong[:5])
    assert (tally.days, tally.steps) == (24, 20)
