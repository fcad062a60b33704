"""Sources and targets, for an encoder and its decoder, or in one row for a decoder alone.

Apart: an encoder reads `source <eos>`, a decoder `<eos> target`, and is to write `target <eos>` (Sutskever et al. 2014).
Joined: a decoder reads `<eos> source <eos> target`, and only what comes behind the second `<eos>` is a target.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch

from lmlab.batch.row_batches import Array, RowBatches
from lmlab.examples import Rows
from lmlab.examples import SourceTarget as Example
from lmlab.types import IGNORE, Batch


@dataclass(kw_only=True, eq=False)
class SourceTarget(RowBatches):
    """Of an example with several targets the first is learned.

    A source and a target are each cut at `seq_len` tokens; joined, both have room in it together, and the source gives way.

    Args:
        packing: whether several examples share a row, or a row of sources and one of targets.
        joined: whether source and target make one row.
    """

    example = Example
    shortest = 4
    holds = "a source and a target"

    packing: bool = field()
    joined: bool

    def sizes(self, rows: Rows) -> tuple[Array, Array]:
        """Tokens of each source and of each first target, as they are cut, `<eos>` counted once in each, [example]."""
        first = np.concatenate([[0], rows.row_ends[:-1]]).astype(np.int64)
        ends, starts = rows.text_ends, np.concatenate([[0], rows.text_ends[:-1]])
        source, target = ends[first] - starts[first], ends[first + 1] - starts[first + 1]
        return self._cut(source, target)

    def _cut(self, source: Array, target: Array) -> tuple[Array, Array]:
        if not self.joined:
            return np.minimum(source + 1, self.seq_len), np.minimum(target + 1, self.seq_len)
        target = np.minimum(target + 1, self.seq_len // 2)
        return np.minimum(source + 1, self.seq_len - target), target

    def lengths(self, rows: Rows) -> Array:
        """Of source and target together."""
        source, target = self.sizes(rows)
        found: Array = source + target
        return found

    def sides(self, rows: Rows) -> Array:
        if self.joined:
            return super().sides(rows)
        return np.stack(self.sizes(rows), axis=1)

    def targets(self, rows: Rows, chosen: Array) -> int:
        return int(self.sizes(rows)[1][chosen].sum())

    def batch(self, rows: Rows, chosen: Array) -> Batch:
        texts = [rows.texts_of(row) for row in chosen]
        found = self.of_pairs([(own[0], own[1]) for own in texts])
        found.place = torch.as_tensor(np.asarray(chosen, np.int64))
        return found

    def of_sources(self, sources: list[list[int]]) -> Batch:
        """Sources for which something is to be written: what the decoder begins with, and no target but `<eos>`."""
        return self.of_pairs([(np.asarray(ids, np.int64), np.empty(0, np.int64)) for ids in sources])

    def of_pairs(self, pairs: list[tuple[Array, Array]]) -> Batch:
        """Sources and targets as ids; of none, a row without a target."""
        cut = [self._apart(*pair) for pair in pairs] or [(np.array([self.eos]), np.empty(0, np.int64))]
        wanted = [np.append(target, self.eos) for _, target in cut] if pairs else [np.array([IGNORE])]
        begun = [np.concatenate([[self.eos], target]) for _, target in cut]
        if self.joined:
            wanted = [np.concatenate([np.full(len(source), IGNORE), ids]) for (source, _), ids in zip(cut, wanted)]
            begun = [np.concatenate([[self.eos], source, target]) for source, target in cut]
        (inputs, document), (targets, _) = _padded(begun, 0), _padded(wanted, IGNORE)
        batch = Batch(inputs, targets, num_targets=int((targets != IGNORE).sum()), document=document)
        if not self.joined:
            batch.source, batch.source_document = _padded([source for source, _ in cut], 0)
        return batch

    def _apart(self, source: Array, target: Array) -> tuple[Array, Array]:
        """A source with its `<eos>`, and a target without, as long as may be."""
        longest, most = (int(size[0]) for size in self._cut(np.array([len(source)]), np.array([len(target)])))
        return np.append(source[: longest - 1], self.eos).astype(np.int64), target[: most - 1].astype(np.int64)


def prompts(batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
    """What each row's decoder has read before its last targets in a row: ids and document [batch, time], padded on the left."""
    is_target = batch.targets != IGNORE
    place = torch.arange(1, is_target.shape[1] + 1, device=is_target.device)
    last = (is_target * place).max(dim=1, keepdim=True).values
    ends = ((~is_target & (place < last)) * place).max(dim=1).values + 1
    longest = int(ends.max())
    places = torch.arange(longest, device=ends.device) - (longest - ends)[:, None]
    is_real = places >= 0
    ids = batch.inputs.gather(1, places.clamp(min=0)).masked_fill(~is_real, 0)
    return ids, is_real.long()


def _padded(rows: list[Array], filler: int) -> tuple[torch.Tensor, torch.Tensor]:
    """[row, time], and where there is something."""
    filled = np.full((len(rows), max(map(len, rows))), filler, np.int64)
    document = np.zeros_like(filled)
    for number, ids in enumerate(rows):
        filled[number, : len(ids)], document[number, : len(ids)] = ids, 1
    return torch.from_numpy(filled), torch.from_numpy(document)
