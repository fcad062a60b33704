"""Batches of examples of about one length, or several to a row: what every batching of rows has in common."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from torch.utils.data import Dataset

from lmlab.batch.buckets import Buckets
from lmlab.batch.packs import Packs, packed
from lmlab.batch.sampler import Share, share
from lmlab.types import Batch, Mistake

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(kw_only=True, eq=False)
class RowBatches:
    """Batches of `size` examples of about one length, or of `size` rows of examples; each epoch has every example once.

    A subclass says how long an input is, and makes a batch of some examples. `rows` are those of a split: `Rows`, or what the
    subclass reads in place of them; behind `items` they are what it makes of them.

    Args:
        seq_len: tokens of an input at most.
        max_tokens: of a step, padding included; None: any number.
        eos: stands before, between and behind the texts.
        packing: whether several examples share a row in training; the batches of evaluation have one example a row.
    """

    carries_state = False
    shortest = 1
    """Tokens that an input has at least."""
    holds = "a text"
    """What needs so many."""

    size: int
    micro_size: int | None
    max_tokens: int | None
    seq_len: int
    eval_size: int
    num_workers: int
    seed: int
    eos: int
    packing: bool = field(init=False, default=False)

    def __post_init__(self) -> None:
        if self.seq_len < self.shortest:
            raise Mistake(
                f"batch.seq_len={self.seq_len} has no room for {self.holds}; set it to {self.shortest} or more, e.g. 128"
            )
        if self.max_tokens is not None and self.max_tokens < self.seq_len:
            raise Mistake(
                f"batch.max_tokens={self.max_tokens} has no room for a text of batch.seq_len={self.seq_len}; "
                f"set it to {self.seq_len} or more"
            )

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

    def sides(self, rows: Any) -> Array:
        """Tokens of each example in each of the rows that it takes: one, or one for a source and one for a target."""
        return self.lengths(rows)[:, None]

    def share(self, *, rank: int = 0, world: int = 1) -> Share:
        """This rank's part of every global batch."""
        return share(self.size, self.micro_size, rank=rank, world=world)

    def steps_per_epoch(self, rows: Any) -> int:
        return len(self.train(rows).plan)

    def train(self, rows: Any, *, rank: int = 0, world: int = 1) -> Steps:
        """The training batches of one rank, by (step, micro-step)."""
        if not len(rows):
            raise Mistake("the training split has no example; give some in data.path")
        items = self.items(rows)
        return Steps(self, items, self._plan(items), self.share(rank=rank, world=world))

    def fullness(self, rows: Any) -> tuple[int, float, float]:
        """Rows of an epoch with packing, the share of them that is no padding, and that of batches without packing."""
        items = self.items(rows)
        packs, buckets = self._packs(items), self._buckets(items)
        return packs.num_rows, packs.fullness, buckets.fullness(self.sides(items))

    def longest(self, rows: Any, number: int) -> tuple[Batch, int]:
        """A batch of `number` rows as long as any in training, and the tokens of one of them."""
        items = self.items(rows)
        length = self.lengths(items)
        if not self.packing:
            return self.batch(items, np.full(number, int(length.argmax()))), int(length.max())
        fullest = max(self._packs(items)[0], key=lambda row: int(length[row].sum()))
        whole = packed(self.batch(items, np.tile(fullest, number)), [len(fullest)] * number)
        return whole, int(length[fullest].sum())

    def _plan(self, items: Any) -> Buckets | Packs:
        return self._packs(items) if self.packing else self._buckets(items)

    def _buckets(self, items: Any) -> Buckets:
        return Buckets(self.lengths(items), size=self.size, max_tokens=self.max_tokens, seed=self.seed)

    def _packs(self, items: Any) -> Packs:
        sides = self.sides(items)
        tokens = self.seq_len * sides.shape[1]
        if self.max_tokens is not None and self.max_tokens < tokens:
            raise Mistake(
                f"batch.max_tokens={self.max_tokens} has no room for a row of {tokens} tokens; set it to {tokens} or more, "
                "or batch.packing=false"
            )
        size = self.size if self.max_tokens is None else min(self.size, self.max_tokens // tokens)
        return Packs(sides, room=self.seq_len, size=size, seed=self.seed)

    def eval(self, rows: Any) -> Evaluation:
        """The evaluation batches, by number: short texts first."""
        return Evaluation(self, self.items(rows))


class Steps(Dataset[Batch]):
    """(step, micro-step) -> the examples of this rank and pass."""

    def __init__(self, batching: RowBatches, rows: Any, plan: Buckets | Packs, share: Share) -> None:
        self.batching, self.rows, self.plan, self.share = batching, rows, plan, share
        self.length = batching.lengths(rows)

    def __getitem__(self, key: tuple[int, int]) -> Batch:
        step, micro = key
        part = self.share.rows(micro)
        if isinstance(self.plan, Packs):
            rows = self.plan[step]
            whole, own = np.concatenate(rows), rows[part.start : part.stop]
            mine = np.concatenate([whole[:0], *own])
            batch = packed(self.batching.batch(self.rows, mine), [len(row) for row in own])
        else:
            whole = self.plan[step]
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
