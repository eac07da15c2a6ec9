"""`python -m benchmarks [case ...]`: measure, print the table, exit 1 if a must is missed."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from benchmarks.bar import Verdict
from benchmarks.catalogue import CASES
from benchmarks.machine import described
from benchmarks.row import Result
from benchmarks.side import Plan
from benchmarks.table import as_markdown, as_text, placed

THOROUGH = Plan(seconds=1.5, scale=1.0)
QUICK = Plan(seconds=0.2, scale=0.02)


def main(argv: Sequence[str] | None = None) -> int:
    options = _options(argv)
    if find_spec("greenroom") is None:
        sys.exit('greenroom is not installed, so there is nothing to measure: pip install -e ".[bench]"')
    chosen = [case for case in CASES if not options.case or case.name in options.case]
    machine = described()  # before the load of our own
    runs = options.runs or (1 if options.quick else 5)
    results = [result for case in chosen for result in case.run(QUICK if options.quick else THOROUGH, runs, _say)]
    heading = f"{machine}; medians of {runs} interleaved rounds (lowest to highest)"
    _say("")
    print(f"{heading}\n\n{as_text(results)}")
    for reason in dict.fromkeys(result.reason for result in results if result.verdict is Verdict.BROKEN):
        print(f"\n{reason}", file=sys.stderr)
    if options.json:
        records = [_record(result) for result in results]
        options.json.write_text(f"{json.dumps(records, indent=2)}\n", encoding="utf-8")
    if options.markdown:
        document = options.markdown.read_text(encoding="utf-8") if options.markdown.exists() else ""
        table = f"{as_markdown(results)}\n\n{heading}."
        options.markdown.write_text(placed(table, document), encoding="utf-8")
    return int(any(result.verdict.is_failure for result in results))


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    names = [case.name for case in CASES]
    parser.add_argument("case", nargs="*", help=f"one of: {', '.join(names)} (default: all)")
    parser.add_argument("--runs", type=int, metavar="N", help="rounds of A B A B (default 5)")
    parser.add_argument("--quick", action="store_true", help="small counts, one round: does it work at all?")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every ratio of every round")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the table (between its marks)")
    options = parser.parse_args(argv)
    if unknown := set(options.case) - set(names):
        parser.error(f"no case is named {', '.join(sorted(unknown))}: use {', '.join(names)}")
    return options


def _record(result: Result) -> dict[str, object]:
    bar = result.row.bar
    return {
        "measure": result.row.measure,
        "greenroom": result.ours,
        "against": result.row.versus,
        "figure": result.against,
        "values": result.values,
        "must": bar.must if bar else None,
        "aim": bar.aim if bar else None,
        "verdict": result.verdict.value,
        "reason": result.reason,
    }


def _say(line: str) -> None:
    """Progress, on one line that the next one overwrites."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\033[K{line}")
        sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
