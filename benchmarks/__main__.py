"""`python -m benchmarks [case ...]`: measure, print the table, exit 1 if a must is missed."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from compileall import compile_dir
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path

from benchmarks.catalogue import CASES
from benchmarks.latency import as_table, latencies_in
from benchmarks.machine import described
from benchmarks.plot import as_svg
from benchmarks.row import Result
from benchmarks.side import Plan
from benchmarks.table import as_markdown, as_text, placed

THOROUGH = Plan(seconds=1.5, scale=1.0)
QUICK = Plan(seconds=0.2, scale=0.02)


def main(argv: Sequence[str] | None = None) -> int:
    options = _options(argv)
    found = find_spec("greenroom")
    if found is None or not found.submodule_search_locations:
        sys.exit('greenroom is not installed, so there is nothing to measure: pip install -e ".[bench]"')
    compile_dir(found.submodule_search_locations[0], quiet=1)  # as pip does when it installs a peer
    chosen = [case for case in CASES if not options.case or case.is_meant(options.case)]
    heading = "; ".join([described(), *(case.note() for case in chosen if case.note)])  # before the load of our own
    plan, runs = (QUICK, options.runs or 1) if options.quick else (THOROUGH, options.runs)
    bouts = [case.run(plan, runs or case.rounds, _say) for case in chosen]
    results = [result for bout in bouts for result in bout.results]
    heading += f"; medians of {_written({len(bout.rounds) for bout in bouts})} interleaved rounds (lowest to highest)"
    latencies = latencies_in([figures for bout in bouts for figures in bout.rounds])
    _say("")
    print(f"{heading}\n\n{as_text(results)}")
    if latencies:
        print(f"\n{as_table(latencies)}")
    for reason in [reason for bout in bouts for reason in bout.reasons_beyond_rows]:
        print(reason.splitlines()[-1])
    for reason in dict.fromkeys(reason for bout in bouts for reason in bout.broken):
        print(f"\n{reason}", file=sys.stderr)
    if options.plot and latencies:
        options.plot.write_text(as_svg(latencies, heading), encoding="utf-8")
    if options.json:
        records = [*map(_record, results), *map(asdict, latencies)]
        options.json.write_text(f"{json.dumps(records, indent=2)}\n", encoding="utf-8")
    if options.markdown:
        document = options.markdown.read_text(encoding="utf-8") if options.markdown.exists() else ""
        table = f"{as_markdown(results)}\n\n{heading}."
        options.markdown.write_text(placed(table, document), encoding="utf-8")
    return int(any(result.verdict.is_failure for result in results) or any(bout.broken for bout in bouts))


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    names = [case.name for case in CASES]
    parser.add_argument("case", nargs="*", help=f"one of: {', '.join(names)} (default: all)")
    parser.add_argument("--runs", type=int, metavar="N", help="rounds of A B A B (default: 5, or as the case has it)")
    parser.add_argument("--quick", action="store_true", help="small counts, one round: does it work at all?")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every ratio of every round")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw the latencies of the isolation cases as SVG")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the table (between its marks)")
    options = parser.parse_args(argv)
    if unknown := [word for word in options.case if not any(case.is_meant([word]) for case in CASES)]:
        parser.error(f"no case is named {', '.join(unknown)}: use {', '.join(names)}")
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


def _written(counts: set[int]) -> str:
    return f"{min(counts)} to {max(counts)}" if len(counts) > 1 else str(max(counts, default=0))


def _say(line: str) -> None:
    """Progress, on one line that the next one overwrites."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\033[K{line}")
        sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
