"""Bugs planted in the guard, each of which the torture must feel."""

import subprocess
import sys
from pathlib import Path

import pytest

BUGS = {
    "within_asyncio": ("flow.event_loops",),
    "within_c_code": ("files.one_file_of_all",),
}


def torture(folder, bug, pieces):
    program = Path(__file__).with_name("planted.py")
    return subprocess.run(
        [sys.executable, str(program), str(folder), bug, *pieces], capture_output=True, text=True, check=False
    )


@pytest.mark.slow
@pytest.mark.integration
@pytest.mark.parametrize("bug", BUGS)
def test_a_guard_that_puts_aside_where_it_is_not_safe_is_caught(tmp_path, bug):
    done = torture(tmp_path, bug, BUGS[bug])
    assert done.returncode != 0
    assert "differences" in done.stderr


@pytest.mark.slow
@pytest.mark.integration
def test_one_that_is_sound_passes(tmp_path):
    # With some that can be put aside anywhere: of these alone there would be no end.
    names = [name for names in BUGS.values() for name in names]
    done = torture(tmp_path, "sound", [*names, "data.orders", "data.classes", "text.json_with_hooks"])
    assert done.returncode == 0, done.stderr
