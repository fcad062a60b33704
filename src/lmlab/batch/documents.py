"""Documents of running text, several in a row or each in its own: none sees another, and each begins behind `<eos>`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import no_type_check

import numpy as np
import torch

from lmlab.batch.row_batches import Array, RowBatches
from lmlab.types import IGNORE, Batch, Text

TOGETHER = 2**24
"""Tokens among which ends are searched at a time."""


@no_type_check
@dataclass(frozen=True)
class Parts:
    """What stands in one row: documents, and of those that are too long pieces of `seq_len` tokens and the rest."""

    tokens: np.ndarray
    """Of the split, [token]."""
    starts: np.ndarray
    """Where the targets of each part begin in it, [part]."""
    ends: np.ndarray

    def __len__(self) -> int:
        return len(self.starts)


@dataclass(kw_only=True, eq=False)
class Documents(RowBatches):
    """Every token is a target once per epoch, given what stands before it in its document, or in its part of a long one.

    Args:
        packing: whether several share a row in training; in evaluation each has its own, with the same loss.
    """

    example = Text

    packing: bool = field()

    def items(self, rows: Array) -> Parts:
        ends = _ends(rows, self.eos)
        starts = np.concatenate([[0], ends])[:-1].astype(np.int64)
        counts = -(-(ends - starts) // self.seq_len)
        number = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        first = np.repeat(starts, counts) + number * self.seq_len
        return Parts(rows, first, np.minimum(first + self.seq_len, np.repeat(ends, counts)))

    def lengths(self, rows: Parts) -> Array:
        found: Array = rows.ends - rows.starts
        return found

    def targets(self, rows: Parts, chosen: Array) -> int:
        return int(self.lengths(rows)[chosen].sum())

    def batch(self, rows: Parts, chosen: Array) -> Batch:
        """`place`: where in the split each target stands."""
        if not len(chosen):
            ids, targets = torch.full((1, 1), self.eos), torch.full((1, 1), IGNORE)
            return Batch(ids, targets, num_targets=0, document=torch.ones_like(ids), place=torch.zeros_like(ids))
        starts, ends = rows.starts[chosen], rows.ends[chosen]
        place = starts[:, None] + np.arange((ends - starts).max())
        is_real = place < ends[:, None]
        targets = rows.tokens[np.minimum(place, len(rows.tokens) - 1)].astype(np.int64)
        before = rows.tokens[np.clip(place - 1, 0, len(rows.tokens) - 1)].astype(np.int64)
        inputs = np.where(is_real, np.where(place == 0, self.eos, before), 0)
        return Batch(
            torch.from_numpy(inputs),
            torch.from_numpy(np.where(is_real, targets, IGNORE)),
            num_targets=int(is_real.sum()),
            document=torch.from_numpy(is_real.astype(np.int64)),
            place=torch.from_numpy(np.where(is_real, place, 0)),
        )


def _ends(tokens: Array, eos: int) -> Array:
    """The place behind the last token of each document, ascending."""
    found = [
        np.flatnonzero(np.asarray(tokens[first : first + TOGETHER]) == eos) + first + 1
        for first in range(0, len(tokens), TOGETHER)
    ]
    ends = np.concatenate(found) if found else np.empty(0, np.int64)
    is_open = len(tokens) and (not len(ends) or ends[-1] < len(tokens))
    return np.append(ends, len(tokens)) if is_open else ends
