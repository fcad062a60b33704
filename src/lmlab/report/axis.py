"""The scale of one side of a drawing: where a value stands, and which round values are marked."""

import math
from collections.abc import Sequence

from lmlab.report.figure import short

SIZE = 1000
"""Both sides of the drawing's own coordinates; the page stretches it."""


class Axis:
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


def grid(along: Axis, up: Axis, *, is_whole: bool = False) -> str:
    """Lines and labels behind the drawing; `is_whole`: only whole numbers are marked along."""
    across = "".join(
        f'<i class="y" style="bottom:{up.place(mark) / SIZE:.3%}"><span>{short(mark)}</span></i>'
        for mark in up.marks(4)
    )
    below = "".join(
        f'<i class="x" style="left:{along.place(mark) / SIZE:.3%}"><span>{short(mark)}</span></i>'
        for mark in along.marks(4)
        if not is_whole or mark == int(mark)
    )
    return across + below
