"""The table: results for people, in a terminal or in Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.row import DIFFERENCE, Result

COLUMNS = ("measure", "greenroom", "against", "ratio (spread)", "must", "aim", "verdict")
BEGIN, END = "<!-- benchmarks: begin -->", "<!-- benchmarks: end -->"


def as_text(results: Sequence[Result]) -> str:
    cells = [COLUMNS, *(_cells(result) for result in results)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(COLUMNS))]
    cells.insert(1, tuple("-" * width for width in widths))
    lines = ["  ".join(map(str.ljust, line, widths)).rstrip() for line in cells]
    return "\n".join([*lines, *_notes(results)])


def as_markdown(results: Sequence[Result]) -> str:
    lines = ["| " + " | ".join(cells) + " |" for cells in (COLUMNS, *(_cells(result) for result in results))]
    return "\n".join([lines[0], "|" + " --- |" * len(COLUMNS), *lines[1:]])


def placed(table: str, document: str) -> str:
    """Put the table between the marks of `document`; without marks, the table is the document."""
    if BEGIN not in document or END not in document:
        return f"{table}\n"
    before, _, rest = document.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{table}\n{END}{after}"


def _cells(result: Result) -> tuple[str, ...]:
    row, bar = result.row, result.row.bar
    return (
        row.measure,
        _figure(result, result.ours),
        f"{_figure(result, result.against)} ({row.versus})" if row.against else "",
        _value(result),
        _line(result, bar.must) if bar else "",
        _line(result, bar.aim) if bar else "",
        result.verdict.value,
    )


def _figure(result: Result, figure: float | None) -> str:
    return "?" if figure is None else result.row.unit.write(figure)


def _value(result: Result) -> str:
    if not result.values:
        return "?"
    middle = _written(result, result.value)
    if len(result.values) == 1:
        return middle
    return f"{middle} ({_written(result, min(result.values))} to {_written(result, max(result.values))})"


def _line(result: Result, line: float) -> str:
    return f"{result.row.bar.sign} {_written(result, line)}" if result.row.bar else ""


def _written(result: Result, value: float) -> str:
    return result.unit.write(value, is_difference=result.row.by is DIFFERENCE)


def _notes(results: Sequence[Result]) -> list[str]:
    reasons = dict.fromkeys(result.reason.splitlines()[-1] for result in results if result.reason)
    return ["", *reasons] if reasons else []
