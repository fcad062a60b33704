"""Images with their captions: to be written from left to right, or to be found among those of the other images.

Written: inputs are `<eos> caption`, targets `caption <eos>`, and a step's loss is divided by its tokens.
Found: inputs are `<eos> caption` as an encoder reads it; targets are the numbers of all captions of each image, equal captions
having equal numbers, and a step's loss is divided by its images.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import no_type_check

import numpy as np
import torch
from torch.utils.data import Dataset

from lmlab.batch.buckets import Buckets
from lmlab.batch.row_batches import Array, RowBatches
from lmlab.batch.sampler import Share, generator
from lmlab.examples import Captioned as Example
from lmlab.examples import Pictures
from lmlab.types import IGNORE, Batch, Mistake


@no_type_check
@dataclass(frozen=True)
class Numbered:
    """The images of a split, and which of their captions are equal."""

    pictures: Pictures
    numbers: np.ndarray
    """Of each image those of its captions, IGNORE behind them, [example, most]."""

    def __len__(self) -> int:
        return len(self.pictures)


@dataclass(kw_only=True, eq=False)
class Captioned(RowBatches):
    """In training each image comes with one of its captions, drawn anew each time; in evaluation with its first.

    Args:
        pairs: whether captions are to be found, not written; evaluation then has all captions of an image, one after another.
    """

    example = Example
    shortest = 2
    holds = "a caption"

    pairs: bool

    def items(self, rows: Pictures) -> Numbered:
        captions = rows.captions
        known: dict[bytes, int] = {}
        numbers = np.full((len(rows), int(captions.counts().max(initial=1))), IGNORE, np.int64)
        for row in range(len(rows)):
            for place, ids in enumerate(captions.texts_of(row)):
                numbers[row, place] = known.setdefault(np.asarray(ids).tobytes(), len(known))
        return Numbered(rows, numbers)

    def lengths(self, rows: Numbered) -> Array:
        """Of the longest caption of each image, with `<eos>`."""
        captions = rows.pictures.captions
        sizes = np.diff(captions.text_ends, prepend=0)
        starts = captions.row_ends - captions.counts()
        longest = np.maximum.reduceat(sizes, starts) if len(sizes) else sizes
        found: Array = np.minimum(longest + 1, self.seq_len)
        return found

    def train(self, rows: Pictures, *, rank: int = 0, world: int = 1) -> Steps:  # type: ignore[override]
        if not len(rows):
            raise Mistake("the training split has no image; give some in data.path")
        return Steps(self, self.items(rows), self.share(rank=rank, world=world))

    def batch(self, rows: Numbered, chosen: Array, drawn: Array | None = None) -> Batch:
        """Some images as one batch; of none, one without a target.

        Args:
            drawn: for training, which of its captions each image comes with.
        """
        if not len(chosen):
            return self.of_images(
                np.zeros((1, *rows.pictures.pixels.shape[1:]), np.float32), width=rows.numbers.shape[1]
            )
        captions = [rows.pictures.captions.texts_of(int(row)) for row in chosen]
        takes_all = self.pairs and drawn is None
        places = np.zeros(len(chosen), np.int64) if drawn is None else drawn
        texts = (
            [ids for own in captions for ids in own] if takes_all else [own[at] for own, at in zip(captions, places)]
        )
        batch = self.of_texts([np.asarray(ids).tolist() for ids in texts])
        if self.pairs:
            numbers = rows.numbers[chosen]
            order = np.arange(numbers.shape[1])[None].repeat(len(chosen), axis=0)
            order[np.arange(len(chosen)), places], order[:, 0] = 0, places
            batch.targets, batch.num_targets = torch.from_numpy(np.take_along_axis(numbers, order, axis=1)), len(chosen)
        batch.source = torch.from_numpy(rows.pictures.images_of(np.asarray(chosen)))
        batch.place = torch.as_tensor(np.asarray(chosen, np.int64))
        return batch

    def of_texts(self, texts: list[list[int]]) -> Batch:
        """Captions alone: ids without `<eos>`."""
        cut = [ids[: self.seq_len - 1] for ids in texts]
        width = max(map(len, cut)) + 1
        inputs, targets = np.zeros((len(cut), width), np.int64), np.full((len(cut), width), IGNORE)
        document = np.zeros((len(cut), width), np.int64)
        for number, ids in enumerate(cut):
            inputs[number, : len(ids) + 1] = [self.eos, *ids]
            targets[number, : len(ids) + 1] = [*ids, self.eos]
            document[number, : len(ids) + 1] = 1
        total, documents = int(document.sum()), torch.from_numpy(document)
        return Batch(torch.from_numpy(inputs), torch.from_numpy(targets), num_targets=total, document=documents)

    def of_images(self, images: Array, *, width: int = 1) -> Batch:
        """Images of which nobody has said anything, float32 [image, height, width, channels]."""
        found = self.of_texts([[] for _ in images])
        found.source, found.num_targets = torch.from_numpy(images), 0
        found.targets = torch.full((len(images), width if self.pairs else 1), IGNORE)
        return found


class Steps(Dataset[Batch]):
    """(step, micro-step) -> the images of this rank and pass, each with a caption drawn from (seed, step, place in it)."""

    def __init__(self, batching: Captioned, rows: Numbered, share: Share) -> None:
        self.batching, self.rows, self.share = batching, rows, share
        self.length, self.count = batching.lengths(rows), rows.pictures.captions.counts()
        self.plan = Buckets(self.length, size=batching.size, max_tokens=batching.max_tokens, seed=batching.seed)

    def __getitem__(self, key: tuple[int, int]) -> Batch:
        step, micro = key
        whole = self.plan[step]
        # Places count from 1: a key (seed, step, 0) would be that of the order of the examples.
        draws = (generator(self.batching.seed, step, place + 1) for place in range(len(whole)))
        drawn = np.array([int(draw.integers(count)) for draw, count in zip(draws, self.count[whole])], np.int64)
        part = slice(self.share.rows(micro).start, self.share.rows(micro).stop)
        batch = self.batching.batch(self.rows, whole[part], drawn[part])
        batch.num_tokens, batch.place = self._tokens(whole, drawn), None
        batch.num_targets = len(whole) if self.batching.pairs else batch.num_tokens
        return batch

    def _tokens(self, chosen: Array, drawn: Array) -> int:
        """Of these captions, with an `<eos>` each."""
        captions = self.rows.pictures.captions
        text = captions.row_ends[chosen] - self.count[chosen] + drawn
        sizes = captions.text_ends[text] - np.where(text > 0, captions.text_ends[text - 1], 0)
        return int(np.minimum(sizes + 1, self.batching.seq_len).sum())
