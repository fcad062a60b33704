"""Batches of examples of about one length: what every batching of rows has in common."""

from __future__ import annotations

from typing import Any

import numpy as np
from torch.utils.data import Dataset

from lmlab.batch.buckets import Buckets
from lmlab.batch.sampler import Share, share
from lmlab.types import Batch, Mistake

Array = np.ndarray[Any, np.dtype[Any]]


class RowBatches:
    """Batches of `size` examples of about one length; each epoch has every example once.

    A subclass says how long an input is, and makes a batch of some examples. `rows` are those of a split: `Rows`, or what the
    subclass reads in place of them; behind `items` they are what it makes of them.

    Args:
        seq_len: tokens of an input at most.
        max_tokens: of a step, padding included; None: any number.
        eos: stands before, between and behind the texts.
    """

    carries_state = False
    shortest = 1
    """Tokens that an input has at least."""
    holds = "a text"
    """What needs so many."""

    def __init__(
        self,
        *,
        size: int,
        micro_size: int | None,
        max_tokens: int | None,
        seq_len: int,
        eval_size: int,
        num_workers: int,
        seed: int,
        eos: int,
    ) -> None:
        if seq_len < self.shortest:
            raise Mistake(
                f"batch.seq_len={seq_len} has no room for {self.holds}; set it to {self.shortest} or more, e.g. 128"
            )
        if max_tokens is not None and max_tokens < seq_len:
            raise Mistake(
                f"batch.max_tokens={max_tokens} has no room for a text of batch.seq_len={seq_len}; set it to {seq_len} or more"
            )
        self.size, self.micro_size, self.max_tokens, self.seq_len = size, micro_size, max_tokens, seq_len
        self.eval_size, self.num_workers, self.seed, self.eos = eval_size, num_workers, seed, eos

    def items(self, rows: Any) -> Any:
        """What batches are made of: the examples themselves, unless a subclass says otherwise."""
        return rows

    def lengths(self, rows: Any) -> Array:
        """Tokens of each example as it goes through the model, [example]."""
        raise NotImplementedError

    def batch(self, rows: Any, chosen: Array) -> Batch:
        """Some examples as one batch; of none, a row without a target. `num_targets` are its own."""
        raise NotImplementedError

    def targets(self, rows: Any, chosen: Array) -> int:
        """How many targets some examples have: one each, unless a subclass says otherwise."""
        return len(chosen)

    def share(self, *, rank: int = 0, world: int = 1) -> Share:
        """This rank's part of every global batch."""
        return share(self.size, self.micro_size, rank=rank, world=world)

    def steps_per_epoch(self, rows: Any) -> int:
        return len(self.train(rows).buckets)

    def train(self, rows: Any, *, rank: int = 0, world: int = 1) -> Steps:
        """The training batches of one rank, by (step, micro-step)."""
        if not len(rows):
            raise Mistake("the training split has no example; give some in data.path")
        items = self.items(rows)
        buckets = Buckets(self.lengths(items), size=self.size, max_tokens=self.max_tokens, seed=self.seed)
        return Steps(self, items, buckets, self.share(rank=rank, world=world))

    def eval(self, rows: Any) -> Evaluation:
        """The evaluation batches, by number: short texts first."""
        return Evaluation(self, self.items(rows))


class Steps(Dataset[Batch]):
    """(step, micro-step) -> the examples of this rank and pass."""

    def __init__(self, batching: RowBatches, rows: Any, buckets: Buckets, share: Share) -> None:
        self.batching, self.rows, self.buckets, self.share = batching, rows, buckets, share
        self.length = batching.lengths(rows)

    def __getitem__(self, key: tuple[int, int]) -> Batch:
        step, micro = key
        whole = self.buckets[step]
        part = self.share.rows(micro)
        batch = self.batching.batch(self.rows, whole[part.start : part.stop])
        batch.num_targets, batch.place = self.batching.targets(self.rows, whole), None
        batch.num_tokens = int(self.length[whole].sum())
        return batch


class Evaluation(Dataset[Batch]):
    """Batch number -> Batch: every example once."""

    def __init__(self, batching: RowBatches, rows: Any) -> None:
        self.batching, self.rows = batching, rows
        self.order = np.argsort(batching.lengths(rows), kind="stable")

    def __len__(self) -> int:
        return -(-len(self.rows) // self.batching.eval_size)

    def __getitem__(self, number: int) -> Batch:
        if number >= len(self):
            raise IndexError(number)
        size = self.batching.eval_size
        return self.batching.batch(self.rows, self.order[number * size : (number + 1) * size])
