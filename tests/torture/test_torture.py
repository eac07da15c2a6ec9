"""Pre-emption changes nothing: whatever tasks compute, they come to the results that they come to in peace."""

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

PREEMPTIONS = int(os.environ.get("GREENROOM_PREEMPTIONS", "20000"))
SEED = int(os.environ.get("GREENROOM_SEED", random.SystemRandom().randrange(1_000_000)))
PATIENCE = 100 + PREEMPTIONS / 200  # seconds


@pytest.mark.each_python
@pytest.mark.slow
@pytest.mark.integration
def test_no_piece_of_work_comes_to_another_result_when_it_is_pre_empted(tmp_path):
    # In a process of its own, for what the other tests have left behind would take most of so short a quantum.
    command = [
        sys.executable,
        str(Path(__file__).with_name("torture.py")),
        str(tmp_path),
        str(SEED),
        str(PREEMPTIONS),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE)
    print(f"\n{done.stdout.splitlines()[:1]}")  # noqa: T201  (for -s)
    assert done.returncode == 0, f"to repeat the order: GREENROOM_SEED={SEED}\n{done.stdout}\n{done.stderr[-2000:]}"
