"""The picture: latencies on a logarithmic scale, a line for each contender beside each load, as SVG."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from html import escape
from itertools import groupby
from textwrap import wrap

from benchmarks.latency import Latency
from benchmarks.unit import MILLISECONDS

WIDTH, LEFT, RIGHT = 960, 300, 40
TOP, LINE, GAP, BOTTOM = 84, 20, 30, 104

# Colours of their own, not the page's: an image on a page does not learn of the page's colours, but does learn
# whether its reader prefers dark.
STYLE = """
  svg { font: 13px system-ui, sans-serif; }
  .ground { fill: #ffffff; }
  text { fill: #1f2328; }
  .faint { fill: #59636e; }
  .grid { stroke: #d1d9e0; }
  .span { stroke: #8c959f; stroke-width: 2; }
  .p50 { fill: #1a7f37; }
  .p99 { fill: #0969da; }
  .max { fill: #cf222e; }
  .ours { font-weight: 600; }
  @media (prefers-color-scheme: dark) {
    .ground { fill: #0d1117; }
    text { fill: #f0f6fc; }
    .faint { fill: #9198a1; }
    .grid { stroke: #3d444d; }
    .span { stroke: #656c76; }
    .p50 { fill: #3fb950; }
    .p99 { fill: #4493f8; }
    .max { fill: #f85149; }
  }
"""


def as_svg(latencies: Sequence[Latency], caption: str) -> str:
    """One picture; `caption` says under it what the figures were taken on."""
    loads = [list(dict.fromkeys(latency.load for latency in latencies)).index(latency.load) for latency in latencies]
    ordered = [latency for _, latency in sorted(zip(loads, latencies, strict=True), key=lambda pair: pair[0])]
    scale = _Scale(ordered)
    height = TOP + len(ordered) * LINE + len(set(loads)) * GAP + BOTTOM
    title = "How late requests are answered beside background tasks"
    namespace = "http://www.w3.org/2000/svg"
    axis = "latency from the moment the request was due, in milliseconds (logarithmic)"
    middle = (LEFT + WIDTH - RIGHT) / 2
    parts = [
        f'<svg xmlns="{namespace}" viewBox="0 0 {WIDTH} {height}" role="img" aria-labelledby="title">',
        f'<title id="title">{title}</title>',
        f"<style>{STYLE}</style>",
        f'<rect class="ground" width="{WIDTH}" height="{height}"/>',
        f'<text x="20" y="30" font-size="18">{title}</text>',
        *_legend(),
        *_grid(scale, height),
        *_lines(ordered, scale),
        f'<text class="faint" x="{middle:.0f}" y="{height - BOTTOM + 38}" text-anchor="middle">{axis}</text>',
        *_caption(caption, height),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


class _Scale:
    """Where a latency lies, from the decade below the least to the decade above the greatest."""

    def __init__(self, latencies: Sequence[Latency]) -> None:
        self.first = math.floor(math.log10(min(max(latency.p50, 1e-5) for latency in latencies)))
        self.last = max(self.first + 1, math.ceil(math.log10(max(latency.max for latency in latencies))))

    @property
    def decades(self) -> range:
        return range(self.first, self.last + 1)

    def x(self, seconds: float) -> float:
        share = (math.log10(max(seconds, 10.0**self.first)) - self.first) / (self.last - self.first)
        return LEFT + share * (WIDTH - RIGHT - LEFT)


def _caption(caption: str, height: int) -> Iterator[str]:
    lines = wrap(caption, 150)
    for number, line in enumerate(lines):
        y = height - 10 - 14 * (len(lines) - 1 - number)
        yield f'<text class="faint" x="20" y="{y}" font-size="11">{escape(line)}</text>'


def _legend() -> Iterator[str]:
    x = 20
    for mark in ("p50", "p99", "max"):
        yield f'{_mark(mark, x + 5, 52)}<text x="{x + 16}" y="56">{mark}</text>'
        x += 64
    yield f'<text class="faint" x="{x}" y="56">a line for each way to run the tasks; pale: later still</text>'


def _grid(scale: _Scale, height: int) -> Iterator[str]:
    for decade in scale.decades:
        x = scale.x(10.0**decade)
        yield f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP - 12}" y2="{height - BOTTOM}"/>'
        label = f"{10.0 ** (decade + 3):,.10g}"
        yield f'<text class="faint" x="{x:.1f}" y="{height - BOTTOM + 16}" text-anchor="middle">{label}</text>'


def _lines(latencies: Sequence[Latency], scale: _Scale) -> Iterator[str]:
    y = TOP
    for load, group in groupby(latencies, key=lambda latency: latency.load):
        yield f'<text class="faint" x="20" y="{y + 8}">{escape(load)}</text>'
        y += GAP - LINE / 2
        for latency in group:
            yield _line(latency, scale, y + LINE / 2)
            y += LINE
        y += LINE / 2


def _line(latency: Latency, scale: _Scale, y: float) -> str:
    ours = ' class="ours"' if "greenroom" in latency.contender else ""
    figures = {mark: getattr(latency, mark) for mark in ("max", "p99", "p50")}  # p50 on top, where they coincide
    told = ", ".join(f"{mark} {MILLISECONDS.write(figure)}" for mark, figure in figures.items())
    return "".join(
        [
            f"<g><title>{escape(latency.contender)}: {told}</title>",
            f'<text{ours} x="{LEFT - 12}" y="{y + 4}" text-anchor="end">{escape(latency.contender)}</text>',
            f'<line class="span" x1="{scale.x(latency.p50):.1f}" x2="{scale.x(latency.max):.1f}" y1="{y}" y2="{y}"/>',
            _unanswered(latency, scale, y),
            *(_mark(mark, scale.x(figure), y, is_pale=latency.lacks(mark)) for mark, figure in figures.items()),
            "</g>",
        ]
    )


def _unanswered(latency: Latency, scale: _Scale, y: float) -> str:
    """How many, to the left of the marks, where there is always room."""
    if not latency.unanswered:
        return ""
    told = f"{latency.unanswered:.0f} of {latency.requests:.0f} without an answer"
    return f'<text class="faint" x="{scale.x(latency.p50) - 12:.1f}" y="{y + 4}" text-anchor="end">{told}</text>'


def _mark(mark: str, x: float, y: float, *, is_pale: bool = False) -> str:
    """A disc, a square or a diamond: they differ without colours too."""
    opacity = ' fill-opacity="0.25"' if is_pale else ""
    match mark:
        case "p50":
            return f'<circle class="p50" cx="{x:.1f}" cy="{y}" r="4.5"{opacity}/>'
        case "p99":
            return f'<rect class="p99" x="{x - 4:.1f}" y="{y - 4}" width="8" height="8"{opacity}/>'
    return f'<path class="max" d="M{x:.1f} {y - 6} l6 6 l-6 6 l-6 -6 z"{opacity}/>'
