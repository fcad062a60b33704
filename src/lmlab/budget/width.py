"""The width at which a model has a given number of parameters, so that architectures are compared at equal size."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from lmlab.types import Mistake

Build = Callable[[int, int | None], int]
"""(dim, hidden width of the feed-forward or None for the model's own) -> number of parameters; grows with both."""

TILE = 8
"""Hidden widths are multiples of it where that is exact enough, so that matrix kernels run full tiles."""


@dataclass(frozen=True)
class Width:
    """The chosen widths and how far the size is from the one wanted, as a fraction of it."""

    dim: int
    hidden: int | None
    mismatch: float


def fit_width(build: Build, target: int, *, multiple_of: int) -> Width:
    """The dim nearest to the target among multiples, then the hidden width that takes up the rest.

    `hidden` is None where a feed-forward's width makes no difference. A model's size is at most about quadratic in dim.
    """
    size = cache(build)
    steps = _largest_at_most(lambda number: size(number * multiple_of, None), target)
    dims = [number * multiple_of for number in (steps, steps + 1) if number > 0]
    dim = min(dims, key=lambda one: abs(size(one, None) - target))
    best = _with_hidden(size, dim, target)
    if abs(best.mismatch) > 0.01:  # the other parts of this dim may be too large to leave the feed-forward any width
        best = min((_with_hidden(size, one, target) for one in dims), key=lambda one: abs(one.mismatch))
    if size(best.dim, best.hidden) > 2 * target:
        raise Mistake(
            f"model.params={target:,} is too small: the smallest such model has {size(best.dim, best.hidden):,}; "
            "set model.params higher, tokenizer.vocab_size lower or model.num_layers lower"
        )
    return best


def _with_hidden(size: Build, dim: int, target: int) -> Width:
    """The dim with its own hidden width, or better with one of whole tiles, or with any; the size is linear in it."""

    def width(hidden: int | None) -> Width:
        return Width(dim, hidden, size(dim, hidden) / target - 1)

    slope = (size(dim, 2 * TILE) - size(dim, TILE)) / TILE
    if slope == 0:
        return width(None)
    exact = TILE + (target - size(dim, TILE)) / slope
    tiles = width(max(1, round(exact / TILE)) * TILE)
    return tiles if abs(tiles.mismatch) <= 0.01 else width(max(1, round(exact)))


def _largest_at_most(size: Callable[[int], int], target: int) -> int:
    """The largest number whose size is not above the target, or 0: guessed by the power law of the last two sizes."""
    low, high, guess, exponent = 0, math.inf, 8, 2.0  # begins at a width that every model can have
    before: tuple[int, int] | None = None
    while high - low > 1:
        found = size(guess)
        low, high = (guess, high) if found <= target else (low, guess)
        if before is not None and found != before[1]:
            exponent = max(0.5, math.log(found / before[1]) / math.log(guess / before[0]))
        before = (guess, found)
        near = round(guess * (target / found) ** (1 / exponent))
        guess = int(min(max(near, low + 1), high - 1))
    return low
