"""Recordings as features with the tokens of their transcripts, those of about one length together."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from torch.utils.data import Dataset

from lmlab.batch.buckets import Buckets
from lmlab.batch.row_batches import Array, RowBatches
from lmlab.batch.sampler import Share, generator
from lmlab.batch.spec_augment import SpecAugment
from lmlab.examples import Speech as Example
from lmlab.examples import Utterances
from lmlab.types import IGNORE, Batch, Mistake


@dataclass(kw_only=True, eq=False)
class Speech(RowBatches):
    """A transcript for each recording.

    Args:
        seq_len: frames; longer recordings are left out of training, and of nothing else.
        max_tokens: frames of a step, padding included; None: any number.
        augment: what training leaves out of the features, drawn from (seed, step, place in the step); None: nothing.
    """

    example = Example

    augment: SpecAugment | None
    eos: int = field(init=False, default=0)
    """Of which inputs that are no texts have none."""

    def lengths(self, rows: Utterances) -> Array:
        return rows.lengths()

    def train(self, rows: Utterances, *, rank: int = 0, world: int = 1) -> Steps:  # type: ignore[override]
        if not len(rows):
            raise Mistake("the training split has no recording; give some in data.path")
        return Steps(self, rows, self.share(rank=rank, world=world))

    def batch(self, rows: Utterances, chosen: Array, keys: list[tuple[int, int]] | None = None) -> Batch:
        """Some recordings as one batch; of none, a frame without a target.

        Args:
            keys: for training, the (step, place in the step) of each.
        """
        features = [rows.features_of(int(row)) for row in chosen]
        if keys is not None and self.augment is not None:
            # The place counts from 1: a key (seed, step, 0) would be that of the order of the examples.
            draws = [generator(self.seed, step, place + 1) for step, place in keys]
            features = [self.augment(one, draw) for one, draw in zip(features, draws, strict=True)]
        batch = self.of_features(features or [np.zeros((1, rows.frames.shape[1]), np.float32)])
        if len(chosen):
            batch.targets, batch.num_targets = _targets([rows.ids_of(int(row)) for row in chosen]), len(chosen)
            batch.place = torch.as_tensor(np.asarray(chosen, np.int64))
        return batch

    def of_features(self, features: list[Array]) -> Batch:
        """Recordings that nobody has written down, padded to the longest: of each the features [time, feature]."""
        padded = np.zeros((len(features), max(map(len, features)), features[0].shape[1]), np.float32)
        document = np.zeros(padded.shape[:2], np.int64)
        for number, one in enumerate(features):
            padded[number, : len(one)], document[number, : len(one)] = one, 1
        targets = torch.full((len(features), 1), IGNORE)
        return Batch(torch.from_numpy(padded), targets, num_targets=0, document=torch.from_numpy(document))


def _targets(ids: list[Array]) -> torch.Tensor:
    found = torch.full((len(ids), max(1, *map(len, ids))), IGNORE)
    for number, one in enumerate(ids):
        found[number, : len(one)] = torch.from_numpy(one.astype(np.int64))
    return found


class Steps(Dataset[Batch]):
    """(step, micro-step) -> the recordings of this rank and pass."""

    def __init__(self, batching: Speech, rows: Utterances, share: Share) -> None:
        self.batching, self.rows, self.share = batching, rows, share
        self.length = rows.lengths()
        self.kept = np.flatnonzero(self.length <= batching.seq_len)
        if not len(self.kept):
            raise Mistake(
                f"batch.seq_len={batching.seq_len} frames is shorter than all recordings; set it to {self.length.min()} or more"
            )
        self.plan = Buckets(
            self.length[self.kept], size=batching.size, max_tokens=batching.max_tokens, seed=batching.seed
        )

    def __getitem__(self, key: tuple[int, int]) -> Batch:
        step, micro = key
        whole = self.kept[self.plan[step]]
        part = self.share.rows(micro)
        chosen = whole[part.start : part.stop]
        keys = [(step, part.start + place) for place in range(len(chosen))]
        batch = self.batching.batch(self.rows, chosen, keys)
        batch.num_targets, batch.num_tokens, batch.place = len(whole), int(self.length[whole].sum()), None
        return batch
