"""Parallel coordinates (Inselberg 1985) as HTML and inline SVG: an upright axis for each key, a line for each job."""

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lmlab.report.axis import SIZE, Axis
from lmlab.report.figure import short
from lmlab.report.job import written

CATEGORIES = 6
"""Numbers with more different values than this get a scale; others, and texts, stand at equal distances."""

MOST_LABELS = 12


@dataclass(frozen=True)
class Line:
    """One configuration: a value for each axis, None where it has no such key."""

    values: Sequence[Any]
    role: str
    """The colour; lines are drawn in the order given, the last on top."""


def parallel(names: Sequence[str], lines: Sequence[Line]) -> str:
    """The drawing, the figure on the last axis; as wide as the axes need, it scrolls where the window is narrower."""
    if not lines or len(names) < 2:
        return ""
    last = len(names) - 1
    scales = [_Scale([line.values[index] for line in lines], is_figure=index == last) for index in range(len(names))]
    places = [(index + 0.5) / len(names) for index in range(len(names))]
    paths = "".join(_path(line, scales, places) for line in lines)
    axes = "".join(_axis(scale, place) for scale, place in zip(scales, places))
    headings = "".join(f"<span>{html.escape(name)}</span>" for name in names)
    return (
        f'<div class="card scroll"><div style="min-width:{len(names) * 110}px"><div class="axes">{headings}</div>'
        f'<div class="plot parallel"><svg viewBox="0 0 {SIZE} {SIZE}" preserveAspectRatio="none" role="img" '
        f'aria-label="each configuration and its figure">{paths}</svg>{axes}</div></div></div>'
    )


class _Scale:
    """Values of one key -> 0 ... SIZE."""

    def __init__(self, values: Sequence[Any], *, is_figure: bool) -> None:
        known = list(dict.fromkeys(value for value in map(_plain, values) if value is not None))
        numbers = [value for value in known if isinstance(value, float)]
        self.axis: Axis | None = None
        if numbers and len(numbers) == len(known) and (is_figure or len(known) > CATEGORIES):
            self.axis = Axis(numbers, is_log=min(numbers) > 0 and max(numbers) / min(numbers) > 30)
        if len(numbers) == len(known):
            known.sort()
        self.order = {value: (index + 0.5) / len(known) * SIZE for index, value in enumerate(known)}

    def place(self, value: Any) -> float | None:
        plain = _plain(value)
        if plain is None:
            return None
        return self.axis.place(plain) if self.axis and isinstance(plain, float) else self.order[plain]

    def labels(self) -> list[tuple[float, str]]:
        if self.axis:
            return [(self.axis.place(mark), short(mark)) for mark in self.axis.marks(5)]
        every = max(1, math.ceil(len(self.order) / MOST_LABELS))
        shown = list(self.order.items())[::every]
        return [(place, short(value) if isinstance(value, float) else str(value)) for value, place in shown]


def _plain(value: Any) -> float | str | None:
    """A finite number, or the text of anything else."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return None
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return float(value) if is_number else written(value)


def _path(line: Line, scales: Sequence[_Scale], places: Sequence[float]) -> str:
    """Broken where the configuration has no such key."""
    drawn, is_down = "", False
    for scale, place, value in zip(scales, places, line.values):
        height = scale.place(value)
        if height is not None:
            drawn += f"{'L' if is_down else 'M'}{place * SIZE:.1f} {SIZE - height:.1f}"
        is_down = height is not None
    return f'<path class="line {line.role}" d="{drawn}"/>' if drawn else ""


def _axis(scale: _Scale, place: float) -> str:
    labels = "".join(
        f'<span style="bottom:{height / SIZE:.2%}">{html.escape(label)}</span>' for height, label in scale.labels()
    )
    return f'<i class="axis" style="left:{place:.3%}">{labels}</i>'
