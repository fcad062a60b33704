"""SpecAugment: some times and some bands of a recording are left out (Park et al. 2019, section 2, without time warping)."""

from __future__ import annotations

from typing import Any

import numpy as np

from lmlab.types import Mistake

Array = np.ndarray[Any, np.dtype[Any]]


class SpecAugment:
    """What is left out becomes 0, the mean of the training split.

    Args:
        time_masks: how many of them.
        time_width: frames of one, at most.
        time_share: of a recording that one covers, at most (p of the paper).
        frequency_masks: how many of them.
        frequency_width: features of one, at most.
    """

    def __init__(
        self, *, time_masks: int, time_width: int, time_share: float, frequency_masks: int, frequency_width: int
    ) -> None:
        if min(time_masks, time_width, frequency_masks, frequency_width) < 0 or not 0 <= time_share <= 1:
            raise Mistake(
                "batch.augment has a number below 0, or a time_share above 1; set it to such as 2, 20 and 0.2"
            )
        self.time = (time_masks, time_width, time_share)
        self.frequency = (frequency_masks, frequency_width)

    def __call__(self, features: Array, draw: np.random.Generator) -> Array:
        """Another array [time, feature]."""
        found = features.copy()
        time, width = found.shape
        masks, longest, share = self.time
        for _ in range(masks):
            first, last = _span(draw, time, min(longest, int(share * time)))
            found[first:last] = 0
        masks, longest = self.frequency
        for _ in range(masks):
            first, last = _span(draw, width, min(longest, width))
            found[:, first:last] = 0
        return found


def _span(draw: np.random.Generator, total: int, longest: int) -> tuple[int, int]:
    """Of a length from 0 to the longest, anywhere: t from [0, T], t_0 from [0, tau - t)."""
    length = int(draw.integers(0, longest + 1))
    first = int(draw.integers(0, max(total - length, 0) + 1))
    return first, first + length
