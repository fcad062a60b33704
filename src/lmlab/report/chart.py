"""One line chart as HTML and inline SVG: lines stretch with the page, labels keep their size, so phones can read it."""

import html
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass

from lmlab.report.axis import SIZE, Axis, grid
from lmlab.report.figure import figure

MAX_POINTS = 400
"""Per line; of more points, each stretch keeps its lowest and its highest."""

FEW = 40
"""Up to so many points, each is marked."""

Point = tuple[int, float | int]


@dataclass(frozen=True)
class Series:
    """One line: values by step."""

    name: str
    points: Sequence[Point]
    role: str
    """The colour: train, val, other, or c1 to c8."""
    band: Sequence[tuple[int, float, float]] = ()
    """Lowest and highest by step, where the line is a mean."""


def chart(title: str, series: Sequence[Series], *, last_step: int, is_log: bool = False, is_large: bool = False) -> str:
    """A figure with axes, a legend where it has several lines, and a note on values that are not finite."""
    thinned = [_thinned(one) for one in series]
    finite = [value for one in thinned for _, value in one.points if math.isfinite(value)]
    if not finite:
        return ""
    finite += [value for one in thinned for _, *ends in one.band for value in ends]
    steps = Axis([0, last_step], is_log=False, is_tight=True)
    values = Axis(finite, is_log=is_log and min(finite) > 0)
    lines = "".join(_band(one, steps, values) for one in thinned) + "".join(
        _line(one, steps, values) for one in thinned
    )
    data = [{"name": one.name, "role": one.role, "points": _shown(one.points)} for one in thinned]
    marks = {"steps": [steps.low, steps.high], "series": data}
    return (
        f'<figure class="chart{" large" if is_large else ""}">'
        f"<figcaption><b>{html.escape(title)}</b>{_legend(thinned)}</figcaption>"
        f'<div class="plot" data-chart="{html.escape(json.dumps(marks))}">{grid(steps, values, is_whole=True)}'
        f'<svg viewBox="0 0 {SIZE} {SIZE}" preserveAspectRatio="none" role="img" '
        f'aria-label="{html.escape(title)} by step">{lines}</svg></div>{_note(series)}</figure>'
    )


def thin(points: Sequence[Point]) -> list[Point]:
    """At most MAX_POINTS, in order of step; spikes and values that are not finite can still be seen."""
    ordered = sorted(points, key=lambda point: point[0])
    if len(ordered) <= MAX_POINTS:
        return ordered
    kept: list[Point] = []
    length = math.ceil(len(ordered) * 2 / MAX_POINTS)
    for start in range(0, len(ordered), length):
        stretch = ordered[start : start + length]
        finite = [point for point in stretch if math.isfinite(point[1])]
        broken = [point for point in stretch if not math.isfinite(point[1])]
        ends = {min(finite, key=lambda point: point[1]), max(finite, key=lambda point: point[1])} if finite else set()
        kept += sorted([*ends, *broken[:1]], key=lambda point: point[0])
    return kept


def _thinned(series: Series) -> Series:
    points = thin(series.points)
    steps = {step for step, _ in points}
    ends = [(step, low, high) for step, low, high in series.band if math.isfinite(low) and math.isfinite(high)]
    return Series(series.name, points, series.role, sorted(end for end in ends if end[0] in steps))


def _band(series: Series, steps: Axis, values: Axis) -> str:
    if not series.band:
        return ""
    upper = [f"{steps.place(step):.1f} {SIZE - values.place(high):.1f}" for step, _, high in series.band]
    lower = [f"{steps.place(step):.1f} {SIZE - values.place(low):.1f}" for step, low, _ in reversed(series.band)]
    return f'<path class="band {series.role}" d="M{"L".join([*upper, *lower])}Z"/>'


def _line(series: Series, steps: Axis, values: Axis) -> str:
    """A path that is broken where a value is not finite; zero-length strokes with round ends are its dots."""
    placed = [
        (f"{steps.place(step):.1f}", f"{SIZE - values.place(value):.1f}") if math.isfinite(value) else None
        for step, value in series.points
    ]
    path = "".join(
        f"{'L' if index and placed[index - 1] else 'M'}{point[0]} {point[1]}"
        for index, point in enumerate(placed)
        if point
    )
    lines = f'<path class="line {series.role}" d="{path}"/>'
    if len(placed) <= FEW:
        lines += f'<path class="dot {series.role}" d="{"".join(f"M{x} {y}h0" for x, y in filter(None, placed))}"/>'
    return lines


def _legend(series: Sequence[Series]) -> str:
    if len(series) < 2:
        return ""
    return "".join(f'<span class="key {one.role}">{html.escape(one.name)}</span>' for one in series)


def _note(series: Sequence[Series]) -> str:
    broken = [step for one in series for step, value in one.points if not math.isfinite(value)]
    if not broken:
        return ""
    return f'<p class="warning">{len(broken)} values are NaN or infinite, the first at step {min(broken):,}.</p>'


def _shown(points: Sequence[Point]) -> list[tuple[int, float | None, str]]:
    return [(step, value if math.isfinite(value) else None, figure(float(value))) for step, value in points]
