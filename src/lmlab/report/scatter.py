"""One figure against another as HTML and inline SVG: a dot for each configuration, with its interval."""

import html
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass

from lmlab.report.axis import SIZE, Axis, grid
from lmlab.report.figure import figure


@dataclass(frozen=True)
class Dot:
    """One configuration; low and high are NaN where there is no interval."""

    name: str
    x: float | int
    y: float | int
    low: float | int = math.nan
    high: float | int = math.nan
    role: str = "other"


def scatter(title: str, dots: Sequence[Dot], *, x_name: str) -> str:
    """A figure with axes; nothing where fewer than two different x are known, since that shows no relation."""
    drawn = [dot for dot in dots if math.isfinite(dot.x) and math.isfinite(dot.y)]
    widths = {dot.x for dot in drawn}
    if len(widths) < 2:
        return ""
    along = Axis([dot.x for dot in drawn], is_log=min(widths) > 0 and max(widths) / min(widths) > 10)
    ends = [end for dot in drawn for end in (dot.low, dot.high) if math.isfinite(end)]
    up = Axis([*(dot.y for dot in drawn), *ends], is_log=False)
    marks = [
        (along.place(dot.x) / SIZE, up.place(dot.y) / SIZE, dot.name, figure(dot.y), f"{x_name} {figure(dot.x)}")
        for dot in drawn
    ]
    label = html.escape(f"{title} against {x_name}")
    return (
        f'<figure class="chart"><figcaption><b>{html.escape(title)}</b><small>against {html.escape(x_name)}</small>'
        f'</figcaption><div class="plot" data-dots="{html.escape(json.dumps(marks))}">{grid(along, up)}'
        f'<svg viewBox="0 0 {SIZE} {SIZE}" preserveAspectRatio="none" role="img" aria-label="{label}">'
        f"{''.join(_dot(dot, along, up) for dot in drawn)}</svg></div></figure>"
    )


def _dot(dot: Dot, along: Axis, up: Axis) -> str:
    x = f"{along.place(dot.x):.1f}"
    drawn = f'<path class="dot {dot.role}" d="M{x} {SIZE - up.place(dot.y):.1f}h0"/>'
    if math.isfinite(dot.low) and math.isfinite(dot.high):
        low, high = SIZE - up.place(dot.low), SIZE - up.place(dot.high)
        drawn += f'<path class="whisker {dot.role}" d="M{x} {low:.1f}L{x} {high:.1f}"/>'
    return drawn
