"""An order of 0 ... n - 1 of which any part can be computed alone: a Feistel network, with no list in memory.

A number is written as (left, right) in a rectangle of about sqrt(n) x sqrt(n); each round moves one half by what a hash
makes of the other, which can be undone (Luby and Rackoff 1988). What falls behind n is sent on until it is within, so that
the order is one of n (Black and Rogaway 2002).
"""

from __future__ import annotations

import math
from typing import Any, no_type_check

import numba
import numpy as np

ROUNDS = 4

Array = np.ndarray[Any, np.dtype[Any]]


def permuted(first: int, last: int, size: int, keys: Array) -> Array:
    """Places `first` to `last` of an order of `size` things.

    Args:
        keys: random numbers [ROUNDS], uint64, from which the order follows.
    """
    width = max(1, math.isqrt(size - 1) + 1)
    found: Array = _permuted(first, last, size, width, -(-size // width), keys)
    return found


@numba.njit(cache=True, nogil=True)
@no_type_check
def _permuted(first: int, last: int, size: int, width: int, height: int, keys: Array) -> Array:
    found = np.empty(last - first, dtype=np.int64)
    for index in range(first, last):
        place = index
        while True:
            left, right = place // height, place % height
            for number in range(0, ROUNDS, 2):
                left += _below(width, np.uint64(right) ^ keys[number])
                left -= width if left >= width else 0
                right += _below(height, np.uint64(left) ^ keys[number + 1])
                right -= height if right >= height else 0
            place = left * height + right
            if place < size:
                break
        found[index - first] = place
    return found


@numba.njit(cache=True, nogil=True, inline="always")
@no_type_check
def _below(limit: int, number: np.uint64) -> Any:
    """A hash of a number (the mixer of Steele et al. 2014), scaled to 0 ... limit - 1."""
    number = (number ^ (number >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    number = (number ^ (number >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.int64(((number >> np.uint64(32)) * np.uint64(limit)) >> np.uint64(32))
