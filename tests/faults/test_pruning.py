import os
import sys

import pytest

from tests.faults.pruning import run

pytestmark = [pytest.mark.integration, pytest.mark.slow]

ROWS = int(os.environ.get("GREENROOM_PRUNED", "100000"))


def test_nobody_notices_that_a_mountain_of_finished_jobs_is_pruned(tmp_path):
    figures = run(ROWS, tmp_path)
    sys.stdout.write(str(figures))
    assert figures.left == 0
    assert figures.longest < 0.05
    assert figures.enqueues, "nobody enqueued meanwhile"
