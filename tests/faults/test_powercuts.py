import os
import random
import sys

import pytest

from tests.faults.powercuts import run

pytestmark = [pytest.mark.integration, pytest.mark.slow]

CUTS = int(os.environ.get("GREENROOM_CUTS", "20"))


def test_nothing_that_was_acknowledged_is_lost_when_the_power_is_cut(tmp_path):
    tally = run(CUTS, random.randrange(1 << 32), tmp_path)
    sys.stdout.write(str(tally))
    assert not tally.report.broken, tally.report
    assert not tally.forgotten
    assert tally.cuts == CUTS
    assert tally.unsynced > 0, "everything was synced at each cut: this has shown nothing"


def test_what_is_not_synced_is_seen_to_be_lost(tmp_path):
    tally = run(10, random.randrange(1 << 32), tmp_path, "process", until_lost=True)
    sys.stdout.write(str(tally))
    assert tally.lost > 0
    assert not tally.report.figures["corrupt"]
