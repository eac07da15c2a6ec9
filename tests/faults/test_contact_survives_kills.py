import random
import sys

import pytest

from tests.faults.contact_kills import run

pytestmark = [pytest.mark.integration, pytest.mark.slow]


def test_every_mail_that_was_promised_arrives_however_often_the_site_is_killed(tmp_path):
    tally = run(posts=200, kills=20, seed=random.randrange(1 << 32), folder=tmp_path)

    sys.stdout.write(str(tally))
    assert len(tally.acknowledged) == 200
    assert not tally.lost
    assert tally.running == 0
    assert tally.integrity == "ok"
    assert tally.restarted > 0, "no kill met a job that was running: this has shown nothing"
    assert all(len(numbers) == 1 for numbers in tally.numbers.values()), "copies of one mail bear different numbers"


def test_mail_that_is_kept_in_memory_alone_is_seen_to_be_lost(tmp_path):
    tally = run(posts=60, kills=6, seed=random.randrange(1 << 32), folder=tmp_path, app="tests.faults.forgetful:app")

    sys.stdout.write(str(tally))
    assert tally.lost
