import os
import sys

import pytest

from tests.faults.deploys import run

pytestmark = [pytest.mark.integration, pytest.mark.slow]

DEPLOYS = int(os.environ.get("GREENROOM_DEPLOYS", "20"))


@pytest.mark.parametrize("is_busy", [False, True], ids=["idle", "busy"])
def test_no_request_fails_no_job_is_lost_and_no_attempt_spent_however_often_it_is_deployed(tmp_path, is_busy):
    tally = run(deploys=DEPLOYS, is_busy=is_busy, folder=tmp_path)

    sys.stdout.write(str(tally))
    assert not tally.failures, tally
    assert not tally.spent, tally
    assert not tally.report.broken, tally
    assert tally.report.figures["started again"] > 0, (
        "no deploy met a task that was under way: this has shown nothing"
    )
