"""For those who write stores and lanes, and for their tests: suites that judge them, and jobs to play with.

Needs pytest and hypothesis: pip install greenroom[test].
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from greenroom.testing._store_machine import store_machine
    from greenroom.testing.hub_suite import HubSuite, StallSuite
    from greenroom.testing.jobs import NOON, a_finished_job, a_job, a_mark, an_error
    from greenroom.testing.lane_suite import LaneSuite
    from greenroom.testing.store_suite import StoreSuite

__all__ = [
    "NOON",
    "HubSuite",
    "LaneSuite",
    "StallSuite",
    "StoreSuite",
    "a_finished_job",
    "a_job",
    "a_mark",
    "an_error",
    "store_machine",
]

_WHERE = {
    "HubSuite": "hub_suite",
    "LaneSuite": "lane_suite",
    "NOON": "jobs",
    "StallSuite": "hub_suite",
    "StoreSuite": "store_suite",
    "a_finished_job": "jobs",
    "a_job": "jobs",
    "a_mark": "jobs",
    "an_error": "jobs",
    "store_machine": "_store_machine",
}
_SUITES = (
    *("_adding", "_claiming", "_hearing", "_leasing", "_looking", "_opening", "_pair", "_suspecting", "_swapping"),
    "_ticking",
    *("hub_suite", "lane_suite", "_store_machine"),
)


def __getattr__(name: str) -> Any:
    # Not before it is asked for: a helper process that runs a suite's tasks would load pytest for nothing.
    if name not in _WHERE:
        raise AttributeError(f"module {__name__} has no attribute {name!r}")
    import pytest

    # A suite's asserts say as much when they fail as those of the tests that run it.
    later = (suite for suite in _SUITES if f"{__name__}.{suite}" not in sys.modules)
    pytest.register_assert_rewrite(*(f"{__name__}.{suite}" for suite in later))
    return getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)
