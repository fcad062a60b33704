"""Random windows of one token stream: sequence i of step s starts where (seed, s, i) says."""

import numpy as np
import torch
from torch.utils.data import Dataset

from lmlab.batch.sampler import Share, Tokens, generator, share
from lmlab.types import IGNORE, Batch, Mistake, Text


class Windows:
    """Batches of `size` windows of `seq_len` tokens at random places, drawn with replacement.

    An epoch is as many steps as would hold the split's tokens once. Evaluation cuts the split into windows side by side, so
    that every token is predicted exactly once.
    """

    example = Text
    carries_state = False

    def __init__(
        self,
        *,
        size: int,
        micro_size: int | None,
        seq_len: int,
        eval_size: int,
        num_workers: int,
        seed: int,
        eos: int,
    ) -> None:
        self.size, self.micro_size, self.seq_len, self.eval_size = size, micro_size, seq_len, eval_size
        self.num_workers, self.seed, self.eos = num_workers, seed, eos

    def share(self, *, rank: int = 0, world: int = 1) -> Share:
        """This rank's part of every global batch."""
        return share(self.size, self.micro_size, rank=rank, world=world)

    def steps_per_epoch(self, tokens: Tokens) -> int:
        return max(1, len(tokens) // (self.size * self.seq_len))

    def train(self, tokens: Tokens, *, rank: int = 0, world: int = 1) -> "RandomWindows":
        """The training batches of one rank, by (step, micro-step)."""
        if len(tokens) <= self.seq_len:
            raise Mistake(
                f"the training text has {len(tokens)} tokens, fewer than one window of batch.seq_len={self.seq_len}; "
                f"set batch.seq_len below {max(1, len(tokens))} or give more text in data.path"
            )
        return RandomWindows(tokens, self.share(rank=rank, world=world), self.seq_len, self.seed)

    def eval(self, tokens: Tokens) -> "AdjacentWindows":
        """The evaluation batches, by number."""
        return AdjacentWindows(tokens, self.eval_size, self.seq_len, self.eos)


class RandomWindows(Dataset[Batch]):
    """(step, micro-step) -> Batch."""

    def __init__(self, tokens: Tokens, share: Share, seq_len: int, seed: int) -> None:
        self.tokens, self.share, self.seq_len, self.seed = tokens, share, seq_len, seed

    def __getitem__(self, key: tuple[int, int]) -> Batch:
        step, micro = key
        starts = generator(self.seed, step).integers(0, len(self.tokens) - self.seq_len, size=self.share.size)
        rows = self.share.rows(micro)
        index = starts[rows.start : rows.stop, None] + np.arange(self.seq_len + 1)
        windows = torch.from_numpy(self.tokens[index].astype(np.int64))
        return Batch(windows[:, :-1], windows[:, 1:], num_targets=self.share.size * self.seq_len)


class AdjacentWindows(Dataset[Batch]):
    """Batch number -> Batch: the whole split once, `<eos>` standing before its first token, the last window padded."""

    def __init__(self, tokens: Tokens, size: int, seq_len: int, eos: int) -> None:
        self.tokens, self.size, self.seq_len, self.eos = tokens, size, seq_len, eos

    def __len__(self) -> int:
        return -(-len(self.tokens) // (self.size * self.seq_len))

    def __getitem__(self, number: int) -> Batch:
        if number >= len(self):
            raise IndexError(number)
        first = number * self.size * self.seq_len
        targets = np.asarray(self.tokens[first : first + self.size * self.seq_len]).astype(np.int64)
        before = self.eos if first == 0 else int(self.tokens[first - 1])
        return padded(targets, before, self.seq_len, first)


def padded(targets: Tokens, before: int, seq_len: int, first: int) -> Batch:
    """Rows of `seq_len` consecutive targets, the inputs one token behind; the last row filled up with padding.

    `first`: where in the split the targets begin.
    """
    missing = -len(targets) % seq_len
    inputs = np.concatenate([[before], targets[:-1], np.zeros(missing, np.int64)]).reshape(-1, seq_len)
    filled = np.concatenate([targets, np.full(missing, IGNORE)]).reshape(-1, seq_len)
    document = torch.from_numpy((filled != IGNORE).astype(np.int64)) if missing else None
    return Batch(
        torch.from_numpy(inputs),
        torch.from_numpy(filled),
        num_targets=len(targets),
        document=document,
        place=torch.arange(first, first + filled.size).reshape(filled.shape),
    )
