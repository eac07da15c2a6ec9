"""Minutes of ordinary work in one process: nothing grows, and nothing is left over."""

import os
import sys

import pytest

from tests.faults.soak import soak

SECONDS = float(os.environ.get("GREENROOM_SOAK", "180"))


@pytest.mark.slow
@pytest.mark.integration
def test_nothing_grows_and_nothing_is_left_over(tmp_path):
    found = soak(SECONDS, tmp_path)
    sys.stdout.write(str(found))
    assert not found.broken(), f"{found}\n{found.log[-3000:]}"
