"""Which examples make which batch: those of about one length together, so that little is padding, in a random order."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from lmlab.batch.sampler import generator

Array = np.ndarray[Any, np.dtype[Any]]

WIDTH = 8
"""Tokens by which lengths within a batch differ at least by chance: an example is not always with the same others."""


class Buckets:
    """Batches of every epoch: each example once, in `size` at most and, padding included, `max_tokens` at most.

    Where batches begin follows from the lengths alone, so that each epoch has as many; which examples of about one length
    stand in a batch, and when the batch comes, follows from (seed, epoch).

    Args:
        lengths: tokens of each example, [example].
        size: examples of a batch.
        max_tokens: of a batch, all as long as its longest; None: any number.
    """

    def __init__(self, lengths: Array, *, size: int, max_tokens: int | None, seed: int) -> None:
        self.seed = seed
        self.level = -(-np.asarray(lengths) // WIDTH)
        self.borders = _borders(np.sort(self.level) * WIDTH, size, max_tokens)
        self._epoch = lru_cache(maxsize=2)(self._shuffled)

    def __len__(self) -> int:
        """Batches of an epoch."""
        return len(self.borders) - 1

    def __getitem__(self, step: int) -> Array:
        """The examples of the batch of a step."""
        epoch, number = divmod(step, len(self))
        order, batches = self._epoch(epoch)
        first, last = self.borders[batches[number]], self.borders[batches[number] + 1]
        return order[first:last]

    def fullness(self, sides: Array) -> float:
        """The share of an epoch's batches that is no padding, of examples of sizes [example, side]."""
        ascending = sides[np.argsort(self.level, kind="stable")]
        widest = np.maximum.reduceat(ascending, self.borders[:-1], axis=0).sum(axis=1)
        return float(sides.sum() / (np.diff(self.borders) * widest).sum())

    def _shuffled(self, epoch: int) -> tuple[Array, Array]:
        draw = generator(self.seed, epoch)
        shuffled = draw.permutation(len(self.level))
        order = shuffled[np.argsort(self.level[shuffled], kind="stable")]
        return order, draw.permutation(len(self))


def _borders(ascending: Array, size: int, max_tokens: int | None) -> Array:
    """Where batches of examples of ascending lengths begin, and the end."""
    borders, total = [0], len(ascending)
    while borders[-1] < total:
        first = borders[-1]
        last = min(first + size, total)
        while max_tokens is not None and last > first + 1 and (last - first) * ascending[last - 1] > max_tokens:
            last = first + max(1, min(last - first - 1, int(max_tokens // ascending[last - 1])))
        borders.append(last)
    return np.array(borders)
