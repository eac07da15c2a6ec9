import os
import random
import sys

import pytest

from tests.faults.corruption import report, run

pytestmark = [pytest.mark.integration, pytest.mark.slow]

CORRUPTIONS = int(os.environ.get("GREENROOM_CORRUPTIONS", "100"))


def test_a_damaged_file_is_never_taken_for_a_good_one_with_fewer_jobs(tmp_path):
    seed = random.randrange(1 << 32)
    tally = run(CORRUPTIONS, seed, tmp_path)
    sys.stdout.write(report(tally, seed))
    assert tally["refused when opened"] > CORRUPTIONS // 4
    assert tally["unharmed"] < CORRUPTIONS // 2, "most of them have met nothing: this has shown little"
