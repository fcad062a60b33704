"""One line chart as HTML and inline SVG: lines stretch with the page, labels keep their size, so phones can read it."""

import html
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass

from lmlab.report.figure import figure, short

SIZE = 1000
"""Both sides of the drawing's own coordinates; the page stretches it."""

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
    """The colour: train, val, or other."""


def chart(title: str, series: Sequence[Series], *, last_step: int, is_log: bool = False, is_large: bool = False) -> str:
    """A figure with axes, a legend where it has several lines, and a note on values that are not finite."""
    thinned = [Series(one.name, thin(one.points), one.role) for one in series]
    finite = [point for one in thinned for point in one.points if math.isfinite(point[1])]
    if not finite:
        return ""
    steps = _Axis([0, last_step], is_log=False, is_tight=True)
    values = _Axis([value for _, value in finite], is_log=is_log and min(value for _, value in finite) > 0)
    lines = "".join(_line(one, steps, values) for one in thinned)
    data = [{"name": one.name, "role": one.role, "points": _shown(one.points)} for one in thinned]
    marks = {"steps": [steps.low, steps.high], "series": data}
    return (
        f'<figure class="chart{" large" if is_large else ""}">'
        f"<figcaption><b>{html.escape(title)}</b>{_legend(thinned)}</figcaption>"
        f'<div class="plot" data-chart="{html.escape(json.dumps(marks))}">{_grid(steps, values)}'
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


class _Axis:
    """Values -> 0 ... SIZE, with round marks."""

    def __init__(self, values: Sequence[float | int], *, is_log: bool, is_tight: bool = False) -> None:
        self.is_log = is_log
        low, high = self._scaled(min(values)), self._scaled(max(values))
        margin = 0.0 if is_tight and high > low else ((high - low) * 0.06 or abs(high) * 0.1 or 1.0)
        self.low, self.high = low - margin, high + margin

    def place(self, value: float | int) -> float:
        return (self._scaled(value) - self.low) / (self.high - self.low) * SIZE

    def marks(self, number: int) -> list[float]:
        if not self.is_log:
            return _round_marks(self.low, self.high, number)
        decades = self.high - self.low
        digits = (1, 2, 5) if decades < 3 else (1,)
        tens = range(math.floor(self.low), math.ceil(self.high) + 1, math.ceil(decades / 6))
        found = [float(f"{digit}e{ten}") for ten in tens for digit in digits]
        inside = [mark for mark in found if 0 < mark < math.inf and self.low <= math.log10(mark) <= self.high]
        return inside if len(inside) > 2 else _round_marks(10**self.low, 10**self.high, number)

    def _scaled(self, value: float | int) -> float:
        return math.log10(value) if self.is_log else float(value)


def _round_marks(low: float, high: float, number: int) -> list[float]:
    """About `number` multiples of 1, 2 or 5 times a power of ten."""
    rough = (high - low) / number
    ten = 10.0 ** math.floor(math.log10(rough))
    width = min((m * ten for m in (1, 2, 5, 10)), key=lambda width: abs(math.log(width / rough)))
    first, last = math.ceil(low / width - 1e-9), math.floor(high / width + 1e-9)
    return [round(index * width, 12) for index in range(first, last + 1)]


def _line(series: Series, steps: _Axis, values: _Axis) -> str:
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


def _grid(steps: _Axis, values: _Axis) -> str:
    across = "".join(
        f'<i class="y" style="bottom:{values.place(mark) / SIZE:.3%}"><span>{short(mark)}</span></i>'
        for mark in values.marks(4)
    )
    along = "".join(
        f'<i class="x" style="left:{steps.place(mark) / SIZE:.3%}"><span>{short(mark)}</span></i>'
        for mark in steps.marks(4)
        if mark == int(mark)
    )
    return across + along


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
