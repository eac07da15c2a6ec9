"""At whichever write or sync a process is killed, nothing acknowledged is lost, and nothing is half done."""

import sys

import pytest

from tests.faults.nth_kills import EACH, Mortals, NoCompiler, kill_each

pytestmark = [pytest.mark.integration, pytest.mark.slow]

UP_TO = 40


@pytest.fixture(scope="module")
def mortals(tmp_path_factory):
    try:
        mortals = Mortals(tmp_path_factory.mktemp("mortals"))
    except NoCompiler as reason:
        pytest.skip(f"{reason}")
    yield mortals
    mortals.close()


@pytest.mark.parametrize("act", EACH)
def test_killed_at_the_nth_call_it_is_as_before_or_as_after(mortals, act):
    tally = kill_each(mortals, act, upto=UP_TO)
    sys.stdout.write(f"{tally}\n")
    assert tally.is_clean, f"{tally}"


def test_a_step_that_is_two_transactions_is_noticed(mortals):
    assert kill_each(mortals, "halting", upto=UP_TO).torn


def test_what_is_acknowledged_too_soon_is_noticed(mortals):
    assert kill_each(mortals, "hasty", upto=UP_TO).lost
