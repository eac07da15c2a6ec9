"""Pre-emption changes nothing: whatever tasks compute, they come to the results that they come to in peace."""

import os
import random

import pytest
from tortures import Torture

PREEMPTIONS = int(os.environ.get("GREENROOM_PREEMPTIONS", "20000"))
SEED = int(os.environ.get("GREENROOM_SEED", random.SystemRandom().randrange(1_000_000)))


@pytest.mark.slow
@pytest.mark.integration
def test_no_piece_of_work_comes_to_another_result_when_it_is_pre_empted(tmp_path):
    torture = Torture(tmp_path, SEED).run(PREEMPTIONS)
    print(f"\n{torture} (seed {SEED}, {torture.rounds} rounds)")  # noqa: T201  (for -s)
    assert not torture.differences, f"{torture}; to repeat the order: GREENROOM_SEED={SEED}\n" + "\n".join(
        torture.differences[:5]
    )
