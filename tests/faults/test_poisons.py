"""A job that its process dies of is started three times at most, and everything else is done."""

import sys

import pytest

from tests.faults import poisons

pytestmark = [pytest.mark.slow, pytest.mark.integration]


def test_poisons_all_at_once(tmp_path):
    tally = poisons.run(tmp_path, batches=[poisons.KINDS], how="at once")
    sys.stdout.write(str(tally))
    assert tally.is_clean, str(tally)


def test_poisons_one_by_one(tmp_path):
    tally = poisons.run(tmp_path, batches=[["segfault"], ["memory"]], how="one by one")
    sys.stdout.write(str(tally))
    assert tally.is_clean, str(tally)
