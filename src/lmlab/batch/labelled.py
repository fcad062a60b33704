"""Texts with labels: `<eos>` text `<eos>`, or of a pair `<eos>` first `<eos>` second `<eos>` (Devlin et al. 2019, section 3)."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset

from lmlab.batch.buckets import Buckets
from lmlab.batch.sampler import Share, share
from lmlab.examples import Labelled as Example
from lmlab.examples import Rows
from lmlab.types import IGNORE, Batch, Mistake

Array = np.ndarray[Any, np.dtype[Any]]


class Labelled:
    """Batches of `size` examples of about one length; each epoch has every example once.

    Args:
        seq_len: tokens of an input; of longer ones the end is left out, of a pair that of the longer text.
        max_tokens: of a step, padding included; None: any number.
        eos: stands before, between and behind the texts.
        num_classes: that are known.
        several: whether any number of labels may hold of an example.
    """

    example = Example
    carries_state = False

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
        num_classes: int,
        several: bool,
    ) -> None:
        if max_tokens is not None and max_tokens < seq_len:
            raise Mistake(
                f"batch.max_tokens={max_tokens} has no room for a text of batch.seq_len={seq_len}; set it to {seq_len} or more"
            )
        self.size, self.micro_size, self.max_tokens, self.seq_len = size, micro_size, max_tokens, seq_len
        self.eval_size, self.num_workers, self.seed = eval_size, num_workers, seed
        self.eos, self.num_classes, self.several = eos, num_classes, several

    def share(self, *, rank: int = 0, world: int = 1) -> Share:
        """This rank's part of every global batch."""
        return share(self.size, self.micro_size, rank=rank, world=world)

    def steps_per_epoch(self, rows: Rows) -> int:
        return len(self.train(rows).buckets)

    def train(self, rows: Rows, *, rank: int = 0, world: int = 1) -> Steps:
        """The training batches of one rank, by (step, micro-step)."""
        if not len(rows):
            raise Mistake("the training split has no example; give some in data.path")
        buckets = Buckets(self.lengths(rows), size=self.size, max_tokens=self.max_tokens, seed=self.seed)
        return Steps(self, rows, buckets, self.share(rank=rank, world=world))

    def eval(self, rows: Rows) -> Evaluation:
        """The evaluation batches, by number: short texts first."""
        return Evaluation(self, rows)

    def lengths(self, rows: Rows) -> Array:
        """Of the inputs, [example]."""
        found: Array = np.minimum(rows.lengths() + rows.counts() + 1, self.seq_len)
        return found

    def batch(self, rows: Rows, chosen: Array) -> Batch:
        """Some examples as one batch, padded to the longest; of none, a row without a target."""
        batch = self._padded([self._input(rows.texts_of(row)) for row in chosen])
        if len(chosen):
            batch.targets, batch.num_targets = self._targets(rows, chosen), len(chosen)
            batch.place = torch.as_tensor(np.asarray(chosen, np.int64))
        return batch

    def _input(self, texts: list[Array]) -> Array:
        """The input of an example."""
        end = [self.eos]
        parts = [part for text in fitted(texts, self.seq_len) for part in (text, end)]
        return np.concatenate([end, *parts]).astype(np.int64)

    def _padded(self, inputs: list[Array]) -> Batch:
        inputs = inputs or [np.array([self.eos])]
        padded = np.zeros((len(inputs), max(map(len, inputs))), np.int64)
        document = np.zeros_like(padded)
        for number, ids in enumerate(inputs):
            padded[number, : len(ids)], document[number, : len(ids)] = ids, 1
        targets = torch.full((len(inputs),), IGNORE)
        if self.several:
            targets = torch.full((len(inputs), self.num_classes), float(IGNORE))
        return Batch(torch.from_numpy(padded), targets, num_targets=0, document=torch.from_numpy(document))

    def of_texts(self, rows: list[list[list[int]]]) -> Batch:
        """Examples that nobody has labelled: of each the ids of its texts."""
        return self._padded([self._input([np.asarray(text, np.int64) for text in texts]) for texts in rows])

    def _targets(self, rows: Rows, chosen: Array) -> torch.Tensor:
        if not self.several:
            return torch.tensor([int(rows.labels_of(row)[0]) for row in chosen])
        targets = torch.zeros(len(chosen), self.num_classes)
        for number, row in enumerate(chosen):
            targets[number, rows.labels_of(row).astype(np.int64)] = 1
        return targets


def fitted(texts: list[Array], length: int) -> list[Array]:
    """Texts with room for `<eos>` before, between and behind them: the longest gives up its end."""
    sizes = [len(text) for text in texts]
    while (excess := sum(sizes) + len(sizes) + 1 - length) > 0:
        longest = max(range(len(sizes)), key=sizes.__getitem__)
        others = max((size for number, size in enumerate(sizes) if number != longest), default=0)
        sizes[longest] -= max(1, min(excess, sizes[longest] - others))
        if sizes[longest] < 0:
            raise Mistake(f"batch.seq_len={length} has no room for {len(texts)} text(s); set it to e.g. 128")
    return [text[:size] for text, size in zip(texts, sizes)]


class Steps(Dataset[Batch]):
    """(step, micro-step) -> the examples of this rank and pass."""

    def __init__(self, batching: Labelled, rows: Rows, buckets: Buckets, share: Share) -> None:
        self.batching, self.rows, self.buckets, self.share = batching, rows, buckets, share
        self.length = batching.lengths(rows)

    def __getitem__(self, key: tuple[int, int]) -> Batch:
        step, micro = key
        whole = self.buckets[step]
        part = self.share.rows(micro)
        batch = self.batching.batch(self.rows, whole[part.start : part.stop])
        batch.num_targets, batch.num_tokens, batch.place = len(whole), int(self.length[whole].sum()), None
        return batch


class Evaluation(Dataset[Batch]):
    """Batch number -> Batch: every example once."""

    def __init__(self, batching: Labelled, rows: Rows) -> None:
        self.batching, self.rows = batching, rows
        self.order = np.argsort(batching.lengths(rows), kind="stable")

    def __len__(self) -> int:
        return -(-len(self.rows) // self.batching.eval_size)

    def __getitem__(self, number: int) -> Batch:
        if number >= len(self):
            raise IndexError(number)
        size = self.batching.eval_size
        return self.batching.batch(self.rows, self.order[number * size : (number + 1) * size])
