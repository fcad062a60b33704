"""Sentences with a tag for each word: `<eos>` words `<eos>`, a word's tag at its first piece (Devlin et al. 2019, 5.3)."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from torch.utils.data import Dataset

from lmlab.batch.buckets import Buckets
from lmlab.batch.sampler import Share, share
from lmlab.examples import Rows
from lmlab.examples import Tagged as Example
from lmlab.types import IGNORE, Batch, Mistake

Array = np.ndarray[Any, np.dtype[Any]]

ENDS = 2
"""`<eos>` before and behind."""


class Tagged:
    """Batches of `size` sentences of about one length; each epoch has every word once.

    Args:
        seq_len: tokens of an input; a sentence that is longer is cut before a word into parts, all of which are read.
        max_tokens: of a step, padding included; None: any number.
        eos: stands before and behind the words, and for a word of which the tokenizer leaves nothing.
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
    ) -> None:
        if seq_len <= ENDS:
            raise Mistake(f"batch.seq_len={seq_len} has no room for a word between two <eos>; set it to e.g. 128")
        if max_tokens is not None and max_tokens < seq_len:
            raise Mistake(
                f"batch.max_tokens={max_tokens} has no room for a sentence of batch.seq_len={seq_len}; set it to {seq_len} "
                "or more"
            )
        self.size, self.micro_size, self.max_tokens, self.seq_len = size, micro_size, max_tokens, seq_len
        self.eval_size, self.num_workers, self.seed = eval_size, num_workers, seed
        self.eos = eos

    def share(self, *, rank: int = 0, world: int = 1) -> Share:
        """This rank's part of every global batch."""
        return share(self.size, self.micro_size, rank=rank, world=world)

    def steps_per_epoch(self, rows: Rows) -> int:
        return len(self.train(rows).buckets)

    def train(self, rows: Rows, *, rank: int = 0, world: int = 1) -> Steps:
        """The training batches of one rank, by (step, micro-step)."""
        if not len(rows):
            raise Mistake("the training split has no sentence; give some in data.path")
        parts = self.parts(rows)
        buckets = Buckets(parts.length, size=self.size, max_tokens=self.max_tokens, seed=self.seed)
        return Steps(self, rows, parts, buckets, self.share(rank=rank, world=world))

    def eval(self, rows: Rows) -> Evaluation:
        """The evaluation batches, by number: short sentences first."""
        return Evaluation(self, rows, self.parts(rows))

    def parts(self, rows: Rows) -> Parts:
        """All sentences, those that are too long in parts."""
        room = self.seq_len - ENDS
        sizes = np.clip(np.diff(rows.text_ends, prepend=0), 1, room)
        before = np.concatenate(([0], np.cumsum(sizes)))
        ends = np.asarray(rows.row_ends)
        first = np.concatenate(([0], ends[:-1])).astype(np.int64)[: len(ends)]
        is_long = before[ends] - before[first] > room
        row, starts = [np.flatnonzero(~is_long)], [first[~is_long]]
        for number in np.flatnonzero(is_long):
            cuts = _cuts(before, int(first[number]), int(ends[number]), room)
            row.append(np.full(len(cuts), number))
            starts.append(cuts)
        start, of_row = np.concatenate(starts), np.concatenate(row)
        order = np.argsort(start, kind="stable")
        start, of_row = start[order], of_row[order]
        end = np.minimum(np.append(start[1:], len(sizes)), ends[of_row])
        return Parts(of_row, start, end, before[end] - before[start] + ENDS)

    def batch(self, rows: Rows, parts: Parts, chosen: Array) -> Batch:
        """Some parts as one batch, padded to the longest; of none, a row without a target."""
        inputs = [self._input(rows, int(parts.first[one]), int(parts.end[one])) for one in chosen]
        shape = len(inputs) or 1, max((len(ids) for ids, _ in inputs), default=1)
        padded, document = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
        targets, place = np.full(shape, IGNORE, np.int64), np.zeros(shape, np.int64)
        if not inputs:
            padded[0, 0], document[0, 0] = self.eos, 1
        for number, (part, (ids, starts)) in enumerate(zip(chosen, inputs)):
            words = np.arange(parts.first[part], parts.end[part])
            padded[number, : len(ids)], document[number, : len(ids)] = ids, 1
            targets[number, starts] = rows.labels[words]
            place[number, starts] = words + parts.row[part]  # one number is left out between sentences
        return Batch(
            torch.from_numpy(padded),
            torch.from_numpy(targets),
            num_targets=int((targets != IGNORE).sum()),
            document=torch.from_numpy(document),
            place=torch.from_numpy(place),
        )

    def _input(self, rows: Rows, first: int, end: int) -> tuple[Array, Array]:
        """Ids of some words, and where in them each word begins."""
        ends = np.asarray(rows.text_ends[first:end])
        starts = np.concatenate(([rows.text_ends[first - 1] if first else 0], ends[:-1])).astype(np.int64)
        empty, room = np.array([self.eos]), self.seq_len - ENDS
        words = [rows.ids[start:stop][:room] if stop > start else empty for start, stop in zip(starts, ends)]
        sizes = np.array([len(word) for word in words], np.int64)
        ids = np.concatenate([[self.eos], *words, [self.eos]]).astype(np.int64)
        return ids, np.cumsum(sizes) - sizes + 1


def _cuts(before: Array, first: int, end: int, room: int) -> Array:
    """Where the parts of a long sentence begin: each takes as many words as it has room for."""
    cuts = [first]
    while before[end] - before[cuts[-1]] > room:
        cuts.append(int(np.searchsorted(before, before[cuts[-1]] + room, side="right")) - 1)
    return np.array(cuts)


class Parts(NamedTuple):
    """What batches are made of: sentences, or parts of those that are too long; all of them, in order."""

    row: Array
    """The sentence of each, [part]."""
    first: Array
    """Its first word, counted from the beginning of the split, [part]."""
    end: Array
    """The word behind its last, [part]."""
    length: Array
    """Its tokens, `<eos>` among them, [part]."""


class Steps(Dataset[Batch]):
    """(step, micro-step) -> the sentences of this rank and pass."""

    def __init__(self, batching: Tagged, rows: Rows, parts: Parts, buckets: Buckets, share: Share) -> None:
        self.batching, self.rows, self.parts, self.buckets, self.share = batching, rows, parts, buckets, share

    def __getitem__(self, key: tuple[int, int]) -> Batch:
        step, micro = key
        whole = self.buckets[step]
        part = self.share.rows(micro)
        batch = self.batching.batch(self.rows, self.parts, whole[part.start : part.stop])
        batch.num_targets = int((self.parts.end[whole] - self.parts.first[whole]).sum())
        batch.num_tokens, batch.place = int(self.parts.length[whole].sum()), None
        return batch


class Evaluation(Dataset[Batch]):
    """Batch number -> Batch: every word once."""

    def __init__(self, batching: Tagged, rows: Rows, parts: Parts) -> None:
        self.batching, self.rows, self.parts = batching, rows, parts
        self.order = np.argsort(parts.length, kind="stable")

    def __len__(self) -> int:
        return -(-len(self.order) // self.batching.eval_size)

    def __getitem__(self, number: int) -> Batch:
        if number >= len(self):
            raise IndexError(number)
        size = self.batching.eval_size
        return self.batching.batch(self.rows, self.parts, self.order[number * size : (number + 1) * size])
