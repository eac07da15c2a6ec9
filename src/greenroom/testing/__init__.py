# ruff: noqa: E402 - asserts are rewritten only in what is imported afterwards
"""For those who write stores and lanes, and for their tests: suites that judge them, and jobs to play with.

Needs pytest and hypothesis: pip install greenroom[test].
"""

from __future__ import annotations

import pytest

# A suite's asserts say as much when they fail as those of the tests that run it.
pytest.register_assert_rewrite(
    *(
        f"{__name__}.{module}"
        for module in (
            "_adding",
            "_claiming",
            "_leasing",
            "_looking",
            "_opening",
            "_pair",
            "_swapping",
            "hub_suite",
            "lane_suite",
            "store_machine",
        )
    )
)

from greenroom.testing.hub_suite import HubSuite, StallSuite
from greenroom.testing.jobs import NOON, a_finished_job, a_job, an_error
from greenroom.testing.lane_suite import LaneSuite
from greenroom.testing.store_machine import store_machine
from greenroom.testing.store_suite import StoreSuite

__all__ = [
    "NOON",
    "HubSuite",
    "LaneSuite",
    "StallSuite",
    "StoreSuite",
    "a_finished_job",
    "a_job",
    "an_error",
    "store_machine",
]
