"""Which examples share a row: the longest first, each into the first row that has room (first-fit decreasing: Johnson 1973).

Krell et al. 2021 (Efficient Sequence Packing without Cross-contamination) pack pre-training data so: with document numbers
for the attention, places that begin again in each document, and a loss that is summed over tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, no_type_check

import numba
import numpy as np
import torch
from torch import Tensor

from lmlab.batch.sampler import generator
from lmlab.types import IGNORE, Batch

Array = np.ndarray[Any, np.dtype[Any]]


class Packs:
    """Batches of every epoch, each a list of rows, and each row the examples in it; an epoch has every example once.

    How many examples of which lengths share a row follows from the lengths alone, so that each epoch has as many rows; which
    of those that are equally long stand there, and when the row comes, follows from (seed, epoch).

    Args:
        sizes: tokens of each example in each of the rows that it takes (of a source and of a target), [example, side].
        room: tokens of a row.
        size: rows of a batch.
    """

    def __init__(self, sizes: Array, *, room: int, size: int, seed: int) -> None:
        self.sizes, self.room, self.size, self.seed = sizes, room, size, seed
        _, self.kind = np.unique(-sizes[:, np.argsort(-sizes.sum(axis=0))], axis=0, return_inverse=True)
        self.kind = self.kind.reshape(-1)
        descending = np.argsort(self.kind, kind="stable")
        row = first_fit(sizes[descending], room)
        self.places = np.argsort(row, kind="stable")
        """Of the examples in descending order, those of the first row, then those of the second, and so on."""
        self.borders = np.concatenate([[0], np.cumsum(np.bincount(row))])
        self._epoch = lru_cache(maxsize=2)(self._shuffled)

    @property
    def num_rows(self) -> int:
        """Of an epoch."""
        return len(self.borders) - 1

    @property
    def fullness(self) -> float:
        """The share of the rows that is no padding."""
        return float(self.sizes.sum() / (self.num_rows * self.room * self.sizes.shape[1]))

    def __len__(self) -> int:
        """Batches of an epoch."""
        return -(-self.num_rows // self.size)

    def __getitem__(self, step: int) -> list[Array]:
        """The examples of each row of the batch of a step."""
        epoch, number = divmod(step, len(self))
        order, rows = self._epoch(epoch)
        chosen = rows[number * self.size : (number + 1) * self.size].tolist()
        return [order[self.places[self.borders[row] : self.borders[row + 1]]] for row in chosen]

    def _shuffled(self, epoch: int) -> tuple[Array, Array]:
        draw = generator(self.seed, epoch)
        shuffled = draw.permutation(len(self.kind))
        order = shuffled[np.argsort(self.kind[shuffled], kind="stable")]
        return order, draw.permutation(self.num_rows)


def first_fit(sizes: Array, room: int) -> Array:
    """The row of each example, in order the first that has room for it on each side; [example, side] -> [example]."""
    assert not len(sizes) or sizes.max() <= room, "every example has room in a row"
    found: Array = _first_fit(np.ascontiguousarray(sizes, dtype=np.int64), room)
    return found


@numba.njit(cache=True, nogil=True)
@no_type_check
def _first_fit(sizes: Array, room: int) -> Array:
    """A tree over the rows knows the most room that a row below has on each side, so that full ones are passed over."""
    leaves = 1
    while leaves < len(sizes):
        leaves *= 2
    left = np.full((2 * leaves, sizes.shape[1]), room, dtype=np.int64)
    found = np.empty(len(sizes), dtype=np.int64)
    for example in range(len(sizes)):
        node = 1
        while True:
            if (left[node] >= sizes[example]).all():
                if node >= leaves:
                    break
                node *= 2
            else:  # the next node that is no part of this one; a row that is still empty has room
                while node % 2:
                    node //= 2
                node += 1
        found[example] = node - leaves
        left[node] -= sizes[example]
        while node > 1:
            node //= 2
            for side in range(sizes.shape[1]):
                left[node, side] = max(left[2 * node, side], left[2 * node + 1, side])
    return found


def packed(batch: Batch, counts: Sequence[int]) -> Batch:
    """A batch of one example a row -> the same examples in rows of `counts`, with document numbers 1, 2, ... in each row.

    Padding stands behind an example, and then behind a row.
    """
    if not counts:  # of no example there is a row without a target
        return batch
    assert batch.document is not None, "the batch says where its padding is"
    row = torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts))
    inputs, targets = (
        _together(values, batch.document, row, filler)
        for values, filler in ((batch.inputs, 0), (batch.targets, IGNORE))
    )
    number = _numbers(row)
    found = Batch(inputs, targets, batch.num_targets, _together(batch.document * number, batch.document, row, 0))
    if batch.source is not None and batch.source_document is not None:
        found.source = _together(batch.source, batch.source_document, row, 0)
        found.source_document = _together(batch.source_document * number, batch.source_document, row, 0)
    return found


def _numbers(row: Tensor) -> Tensor:
    """1, 2, ... for the examples of each row, [example, 1]."""
    first = torch.searchsorted(row, row)
    return (torch.arange(len(row)) - first + 1)[:, None]


def _together(values: Tensor, document: Tensor, row: Tensor, filler: int) -> Tensor:
    """[example, time] -> [row, time], those of one row side by side."""
    is_real = document != 0
    lengths = is_real.sum(dim=1)
    ends = lengths.cumsum(dim=0)
    before = (ends - lengths)[torch.searchsorted(row, torch.unique_consecutive(row))]
    example, place = is_real.nonzero(as_tuple=True)
    place = place + (ends - lengths - before[row])[example]
    found = values.new_full((len(before), int(place.max()) + 1), filler)
    found[row[example], place] = values[is_real]
    return found
