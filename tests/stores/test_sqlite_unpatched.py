import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.mark.slow
def test_it_does_the_same_in_a_process_that_is_not_patched():
    command = [sys.executable, "-m", "pytest", "--noconftest", str(HERE / "test_sqlite.py")]
    options = ["-q", "-x", "-p", "no:cacheprovider", "-k", "TestSqliteStore or ThreadThatHolds"]
    done = subprocess.run([*command, *options], capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
