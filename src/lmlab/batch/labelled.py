"""Texts with labels: `<eos>` text `<eos>`, or of a pair `<eos>` first `<eos>` second `<eos>` (Devlin et al. 2019, section 3)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from lmlab.batch.row_batches import Array, RowBatches
from lmlab.examples import Labelled as Example
from lmlab.examples import Rows
from lmlab.types import IGNORE, Batch, Mistake


@dataclass(kw_only=True, eq=False)
class Labelled(RowBatches):
    """One target an example, its label, or 0 and 1 for each label; of too long inputs the end is left out, of a pair that of
    the longer text.

    Args:
        num_classes: that are known.
        several: whether any number of labels may hold of an example.
    """

    example = Example

    num_classes: int
    several: bool

    def lengths(self, rows: Rows) -> Array:
        found: Array = np.minimum(rows.lengths() + rows.counts() + 1, self.seq_len)
        return found

    def batch(self, rows: Rows, chosen: Array) -> Batch:
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
