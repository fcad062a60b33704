"""Random windows of a token stream, some tokens hidden: of those 80 % masked, 10 % others, 10 % kept (Devlin et al. 2019).

What is hidden is drawn anew each time a text is seen (RoBERTa: Liu et al. 2019, 4.1).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from torch.utils.data import Dataset

from lmlab.batch.hidden_windows import EVALUATION, HiddenWindows
from lmlab.batch.sampler import Share, Tokens, generator
from lmlab.types import IGNORE, Batch, Mistake, Pieces

NUMBERS = 4
"""Drawn for each place: its order, the length of a span, its fate, another token."""


@runtime_checkable
class Masking(Protocol):
    """What `conf/batch/masking/*.yaml` builds: which places of some rows are hidden."""

    def __call__(self, budget: Tokens, is_maskable: Tokens, begins: Tokens, order: Tokens, lengths: Tokens) -> Tokens:
        """See lmlab.batch.masking.token.Token."""


@dataclass(kw_only=True, eq=False)
class Masked(HiddenWindows):
    """Targets are the hidden tokens alone; evaluation cuts the split into windows side by side.

    Args:
        rate: share of the tokens that are hidden; a fraction of a token is rounded by chance.
        random_rate, keep_rate: shares of the hidden ones that another token stands for, and that stand for themselves.
    """

    rate: float
    random_rate: float
    keep_rate: float
    masking: Masking
    pieces: Pieces

    def __post_init__(self) -> None:
        if self.random_rate + self.keep_rate > 1:
            raise Mistake(
                f"batch.random_rate={self.random_rate} and batch.keep_rate={self.keep_rate} are more than all hidden tokens; "
                "set them to e.g. 0.1 each"
            )
        self.ordinary = np.flatnonzero(~self.pieces.is_special)

    def drawn(self, tokens: Tokens, share: Share) -> RandomWindows:
        return RandomWindows(self, tokens, share)

    def eval(self, tokens: Tokens) -> AdjacentWindows:
        """The evaluation batches, by number."""
        return AdjacentWindows(self, tokens)

    def hidden(self, ids: Tokens, numbers: Tokens, is_real: Tokens | None = None) -> tuple[Tokens, Tokens]:
        """Rows of ids -> the same with some hidden, and the hidden ones, IGNORE elsewhere.

        `numbers`: from 0 to 1, [rows, NUMBERS * time + 1]; `is_real`: where there is no padding.
        """
        is_maskable = ~self.pieces.is_special[ids]
        is_maskable = is_maskable if is_real is None else is_maskable & is_real
        order, lengths, fate, other = np.moveaxis(numbers[:, 1:].reshape(len(ids), NUMBERS, -1), 1, 0)
        budget = np.floor(self.rate * is_maskable.sum(axis=1) + numbers[:, 0]).astype(np.int64)
        group = self.masking(budget, is_maskable, begins(ids, self.pieces), order, lengths)
        is_hidden, fate = group >= 0, np.take_along_axis(fate, np.maximum(group, 0), axis=1)
        drawn = self.ordinary[(other * len(self.ordinary)).astype(np.int64)]
        shown = np.where(fate < self.random_rate + self.keep_rate, drawn, self.pieces.marks[0])
        shown = np.where(fate < self.keep_rate, ids, shown)
        return np.where(is_hidden, shown, ids), np.where(is_hidden, ids, IGNORE)


def begins(ids: Tokens, pieces: Pieces) -> Tokens:
    """Whether a word begins at each place of rows of ids."""
    found, before = pieces.starts[ids], ids[:, :-1]
    is_other = (pieces.last[before] >= 0) & (pieces.first[ids[:, 1:]] != pieces.last[before])
    found[:, 1:] |= is_other | pieces.is_special[before]
    found[:, 0] = True
    return found


class RandomWindows(Dataset[Batch]):
    """(step, micro-step) -> Batch; the whole step is drawn, of which each rank and pass takes its rows."""

    def __init__(self, batching: Masked, tokens: Tokens, share: Share) -> None:
        self.batching, self.tokens, self.share = batching, tokens, share

    def __getitem__(self, key: tuple[int, int]) -> Batch:
        (step, micro), length, size = key, self.batching.seq_len, self.share.size
        random = generator(self.batching.seed, step)
        starts = random.integers(0, len(self.tokens) - length + 1, size=size)
        ids = self.tokens[starts[:, None] + np.arange(length)].astype(np.int64)
        inputs, targets = self.batching.hidden(ids, random.random((size, NUMBERS * length + 1)))
        rows = self.share.rows(micro)
        return Batch(
            torch.from_numpy(inputs[rows.start : rows.stop]),
            torch.from_numpy(targets[rows.start : rows.stop]),
            num_targets=max(1, int((targets != IGNORE).sum())),
            num_tokens=size * length,
        )


class AdjacentWindows(Dataset[Batch]):
    """Batch number -> Batch: the whole split once, the last window padded; what is hidden in a window follows from its number."""

    def __init__(self, batching: Masked, tokens: Tokens) -> None:
        self.batching, self.tokens = batching, tokens

    def __len__(self) -> int:
        return -(-len(self.tokens) // (self.batching.eval_size * self.batching.seq_len))

    def __getitem__(self, number: int) -> Batch:
        if number >= len(self):
            raise IndexError(number)
        length, size = self.batching.seq_len, self.batching.eval_size
        first = number * size * length
        text = np.asarray(self.tokens[first : first + size * length]).astype(np.int64)
        missing = -len(text) % length
        ids = np.concatenate([text, np.full(missing, self.batching.pieces.eos)]).reshape(-1, length)
        place = np.arange(first, first + ids.size).reshape(ids.shape)
        is_real = place < len(self.tokens)
        numbers = [
            generator(EVALUATION, window).random(NUMBERS * length + 1) for window in (place[:, 0] // length).tolist()
        ]
        inputs, targets = self.batching.hidden(ids, np.stack(numbers), is_real)
        return Batch(
            torch.from_numpy(inputs),
            torch.from_numpy(targets),
            num_targets=int((targets != IGNORE).sum()),
            document=torch.from_numpy(is_real.astype(np.int64)) if missing else None,
            place=torch.from_numpy(place),
        )
