"""Sentences with a tag for each word: `<eos>` words `<eos>`, a word's tag at its first piece (Devlin et al. 2019, 5.3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import no_type_check

import numpy as np
import torch

from lmlab.batch.row_batches import Array, RowBatches
from lmlab.examples import Rows
from lmlab.examples import Tagged as Example
from lmlab.types import IGNORE, Batch

ENDS = 2
"""`<eos>` before and behind."""


class Tagged(RowBatches):
    """Each epoch has every word once: a sentence that is longer than `seq_len` is cut before a word into parts, all of which
    are read. `<eos>` also stands for a word of which the tokenizer leaves nothing.
    """

    example = Example
    shortest = ENDS + 1
    holds = "a word between two <eos>"

    def items(self, rows: Rows) -> Parts:
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
        return Parts(rows, of_row, start, end, before[end] - before[start] + ENDS)

    def lengths(self, rows: Parts) -> Array:
        return rows.length

    def targets(self, rows: Parts, chosen: Array) -> int:
        return int((rows.end[chosen] - rows.first[chosen]).sum())

    def batch(self, rows: Parts, chosen: Array) -> Batch:
        inputs = [self._input(rows.rows, int(rows.first[one]), int(rows.end[one])) for one in chosen]
        shape = len(inputs) or 1, max((len(ids) for ids, _ in inputs), default=1)
        padded, document = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
        targets, place = np.full(shape, IGNORE, np.int64), np.zeros(shape, np.int64)
        if not inputs:
            padded[0, 0], document[0, 0] = self.eos, 1
        for number, (part, (ids, starts)) in enumerate(zip(chosen, inputs)):
            words = np.arange(rows.first[part], rows.end[part])
            padded[number, : len(ids)], document[number, : len(ids)] = ids, 1
            targets[number, starts] = rows.rows.labels[words]
            place[number, starts] = words + rows.row[part]  # one number is left out between sentences
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


@no_type_check
@dataclass(frozen=True)
class Parts:
    """What batches are made of: sentences, or parts of those that are too long; all of them, in order."""

    rows: Rows
    """Of the split."""
    row: Array
    """The sentence of each, [part]."""
    first: Array
    """Its first word, counted from the beginning of the split, [part]."""
    end: Array
    """The word behind its last, [part]."""
    length: Array
    """Its tokens, `<eos>` among them, [part]."""

    def __len__(self) -> int:
        return len(self.row)
