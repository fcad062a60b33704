"""Random windows of a token stream with gaps: the source has a sentinel in the place of each, the target says what was there.

T5's span corruption (Raffel et al. 2020, 3.1.4; its C4 code): lengths are equal in all windows, so nothing is padded.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch.utils.data import Dataset

from lmlab.batch.hidden_windows import EVALUATION, HiddenWindows
from lmlab.batch.sampler import Share, Tokens, generator
from lmlab.types import Batch, Mistake, Pieces


class Gaps(NamedTuple):
    """Of a window of so many tokens: how many are missing, and in how many gaps."""

    hidden: int
    number: int


def gaps(length: int, rate: float, mean_length: float) -> Gaps:
    """At least one token is missing, and at least one left."""
    hidden = min(max(round(length * rate), 1), length - 1)
    return Gaps(hidden, min(max(round(hidden / mean_length), 1), length - hidden))


@dataclass(kw_only=True, eq=False)
class Corrupted(HiddenWindows):
    """Sources with gaps, and what fills them.

    A source is shorter than its window by the hidden tokens less one sentinel a gap; a target is sentinel, hidden tokens,
    sentinel, hidden tokens ..., `<eos>`, and its inputs begin with `<eos>`.

    Args:
        rate: share of the tokens that are missing.
        mean_length: of a gap, in tokens.
    """

    rate: float
    mean_length: float
    sentinels: Pieces

    def __post_init__(self) -> None:
        if self.seq_len < 2 or not 0 < self.rate < 1 or self.mean_length < 1:
            raise Mistake(
                f"batch.seq_len={self.seq_len}, batch.rate={self.rate}, batch.mean_length={self.mean_length} leave no gap in a "
                "text; set them to e.g. 128, 0.15 and 3"
            )
        if (number := gaps(self.seq_len, self.rate, self.mean_length).number) > len(self.sentinels.marks):
            raise Mistake(
                f"batch.seq_len={self.seq_len} has {number} gaps, more than the {len(self.sentinels.marks)} sentinels; set "
                "batch.seq_len or batch.rate lower, or batch.mean_length higher"
            )
        self.eos, self.marks = self.sentinels.eos, np.array(self.sentinels.marks)

    def drawn(self, tokens: Tokens, share: Share) -> RandomWindows:
        return RandomWindows(self, tokens, share)

    def eval(self, tokens: Tokens) -> AdjacentWindows:
        """The evaluation batches, by number."""
        return AdjacentWindows(self, tokens)

    def batch(self, ids: Tokens, numbers: Tokens) -> Batch:
        """Rows of ids [rows, time] and numbers from 0 to 1 [rows, 2 time] -> sources and targets; places are columns."""
        rows, length = ids.shape
        hidden, number = gaps(length, self.rate, self.mean_length)
        kept = segments(numbers[:, :length], length - hidden, number)
        missing = segments(numbers[:, length:], hidden, number)
        parts = np.stack([kept, missing], axis=2).reshape(rows, -1)
        part = np.repeat(np.tile(np.arange(2 * number), rows), parts.ravel()).reshape(rows, length)
        is_hidden, gap = part % 2 == 1, part // 2
        begins = np.diff(part, axis=1, prepend=-1) > 0
        place = np.broadcast_to(np.arange(length), ids.shape)
        sentinel = np.broadcast_to(self.marks[gap], ids.shape)
        source = _interleaved(ids, sentinel, ~is_hidden, begins & is_hidden)
        targets = _interleaved(ids, sentinel, is_hidden, begins & is_hidden)
        places = _interleaved(place, place, is_hidden, begins & is_hidden)
        end = np.full((rows, 1), self.eos)
        targets, places = np.hstack([targets, end]), np.hstack([places, places[:, -1:]])
        return Batch(
            torch.from_numpy(np.hstack([end, targets[:, :-1]])),
            torch.from_numpy(targets),
            num_targets=targets.size,
            place=torch.from_numpy(places),
            source=torch.from_numpy(source),
        )


def segments(numbers: Tokens, total: int, number: int) -> Tokens:
    """Lengths of `number` parts of at least one that make up `total`, each division as likely, [rows, number].

    `numbers`: from 0 to 1, [rows, at least total - 1].
    """
    ends = np.argsort(numbers[:, : total - 1], axis=1, kind="stable")[:, : number - 1] + 1
    found: Tokens = np.diff(np.sort(ends, axis=1), axis=1, prepend=0, append=total)
    return found


def _interleaved(ids: Tokens, sentinel: Tokens, is_taken: Tokens, is_marked: Tokens) -> Tokens:
    """The taken ids of each row with the sentinel before, or in, each marked place; as many in every row."""
    pairs = np.stack([sentinel, ids], axis=2).reshape(len(ids), -1)
    chosen = np.stack([is_marked, is_taken], axis=2).reshape(len(ids), -1)
    found: Tokens = pairs[chosen].reshape(len(ids), -1).astype(np.int64)
    return found


class RandomWindows(Dataset[Batch]):
    """(step, micro-step) -> Batch; the whole step is drawn, of which each rank and pass takes its rows."""

    def __init__(self, batching: Corrupted, tokens: Tokens, share: Share) -> None:
        self.batching, self.tokens, self.share = batching, tokens, share

    def __getitem__(self, key: tuple[int, int]) -> Batch:
        (step, micro), length, size = key, self.batching.seq_len, self.share.size
        random = generator(self.batching.seed, step)
        starts = random.integers(0, len(self.tokens) - length + 1, size=size)
        numbers = random.random((size, 2 * length))
        rows = slice((own := self.share.rows(micro)).start, own.stop)
        ids = self.tokens[starts[rows, None] + np.arange(length)].astype(np.int64)
        batch = self.batching.batch(ids, numbers[rows])
        batch.num_targets = batch.num_targets // len(ids) * size
        batch.num_tokens, batch.place = size * length, None
        return batch


class AdjacentWindows(Dataset[Batch]):
    """Batch number -> Batch: the whole split once; a last window that is shorter is a batch of its own, of one token none."""

    def __init__(self, batching: Corrupted, tokens: Tokens) -> None:
        self.batching, self.tokens = batching, tokens
        self.windows, self.left = divmod(len(tokens), batching.seq_len)

    def __len__(self) -> int:
        return -(-self.windows // self.batching.eval_size) + (self.left > 1)

    def __getitem__(self, number: int) -> Batch:
        if number >= len(self):
            raise IndexError(number)
        size, length = self.batching.eval_size, self.batching.seq_len
        windows = range(number * size, min((number + 1) * size, self.windows))
        if not windows:
            windows, length = range(self.windows, self.windows + 1), self.left
        first = windows.start * self.batching.seq_len
        ids = np.asarray(self.tokens[first : first + len(windows) * length]).astype(np.int64).reshape(-1, length)
        numbers = np.stack([generator(EVALUATION, window).random(2 * length) for window in windows])
        batch = self.batching.batch(ids, numbers)
        assert batch.place is not None, "batch says it"
        batch.place += first + torch.arange(len(ids))[:, None] * length
        return batch
