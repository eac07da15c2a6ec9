"""The inside of a side: patch first, measure, print one JSON line, leave at once.

Run by `Side.measure` as `python -m benchmarks.child module:function[:word ...] '{"seconds": 1.5, ...}'`.
"""

from gevent import monkey

monkey.patch_all()

import importlib
import json
import os
import sys

from benchmarks.side import Plan, Unavailable


def main(target: str, plan: str) -> None:
    print(json.dumps(_measured(target, Plan(**json.loads(plan)))), flush=True)
    # 100,000 greenlets that never ran take seconds to tear down, and nobody is waiting for them.
    os._exit(0)


def _measured(target: str, plan: Plan) -> dict[str, object]:
    module, function, *words = target.split(":")
    try:
        return dict(getattr(importlib.import_module(f"benchmarks.sides.{module}"), function)(plan, *words))
    except Unavailable as lack:
        return {"unavailable": str(lack)}
    except ModuleNotFoundError as missing:
        name = missing.name or ""
        if "." in name or name == "benchmarks":  # a bug, not a peer that is not installed
            raise
        return {"unavailable": f"{name} is not installed"}


if __name__ == "__main__":
    main(*sys.argv[1:])
