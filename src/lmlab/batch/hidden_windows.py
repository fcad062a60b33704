"""Windows of a token stream in which something is hidden: what the ways of hiding it have in common."""

from __future__ import annotations

from dataclasses import dataclass

from torch.utils.data import Dataset

from lmlab.batch.sampler import Share, Tokens, share
from lmlab.types import Batch, Mistake, Text

EVALUATION = 2**40
"""In the place of a seed: the same is hidden in every evaluation of every run."""


@dataclass(kw_only=True, eq=False)
class HiddenWindows:
    """Batches of `size` windows of `seq_len` tokens, drawn with replacement.

    An epoch is as many steps as would hold the split's tokens once.
    """

    example = Text
    carries_state = False

    size: int
    micro_size: int | None
    seq_len: int
    eval_size: int
    num_workers: int
    seed: int

    def drawn(self, tokens: Tokens, share: Share) -> Dataset[Batch]:
        """(step, micro-step) -> the batch of a share."""
        raise NotImplementedError

    def share(self, *, rank: int = 0, world: int = 1) -> Share:
        """This rank's part of every global batch."""
        return share(self.size, self.micro_size, rank=rank, world=world)

    def steps_per_epoch(self, tokens: Tokens) -> int:
        return max(1, len(tokens) // (self.size * self.seq_len))

    def train(self, tokens: Tokens, *, rank: int = 0, world: int = 1) -> Dataset[Batch]:
        """The training batches of one rank, by (step, micro-step)."""
        if len(tokens) < self.seq_len:
            raise Mistake(
                f"the training text has {len(tokens)} tokens, fewer than one window of batch.seq_len={self.seq_len}; "
                f"set batch.seq_len to {max(1, len(tokens))} or less, or give more text in data.path"
            )
        return self.drawn(tokens, self.share(rank=rank, world=world))
