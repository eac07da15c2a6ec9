"""The torture, in a process of its own: python torture.py FOLDER SEED PREEMPTIONS. Says what came of it."""

from gevent import monkey

monkey.patch_all()

import sys
from pathlib import Path

import tortures

if __name__ == "__main__":
    folder, seed, preemptions = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    torture = tortures.Torture(folder, seed).run(preemptions)
    sys.stdout.write(
        "\n".join([f"{torture} (seed {seed}, {torture.rounds} rounds)", *torture.differences[:5]]) + "\n"
    )
    sys.exit(bool(torture.differences))
