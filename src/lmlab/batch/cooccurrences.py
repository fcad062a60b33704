"""Counts of words near each other, in an order drawn anew in each epoch (Pennington et al. 2014)."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from functools import cached_property
from pathlib import Path
from typing import Any, no_type_check

import numba
import numpy as np
import torch
from torch.utils.data import Dataset

from lmlab import types
from lmlab.batch.cooccurrence_counts import BLOCK, LARGEST_WINDOW, PAIR, blocks, write_counts
from lmlab.batch.permutation import ROUNDS, permuted
from lmlab.batch.sampler import Share, Tokens, generator, share
from lmlab.published import explain
from lmlab.types import Corpus, Mistake, Text

VERSION = 1
"""To be raised with every change of what is counted, so that older files are not taken for it."""

Pairs = np.ndarray[Any, np.dtype[Any]]
"""Records of row, column, count: memory-mapped."""


class Cooccurrences:
    """Steps of `size` pairs of words with their counts; an epoch is each pair that was ever counted, once.

    Texts are counted once and kept beside their tokens. Those of a held-out split are scaled to the length of the training
    text: the biases of a model say how often words are there, and would else be held against another length.

    Args:
        size: pairs per step.
        window: words to each side that are near.
        distance_weighting: whether a pair counts 1 / distance, or 1.
        memory_gb: GiB that counting may hold; what is more goes to disk.
        corpus: no window reaches over its `eos`, and its `unk` is left out, as if it were not there; pairs are kept in its
            folder.
    """

    makes = types.Cooccurrences
    example = Text
    carries_state = False
    seq_len = 1

    def __init__(
        self,
        *,
        size: int,
        window: int,
        distance_weighting: bool,
        memory_gb: float,
        num_workers: int,
        seed: int,
        corpus: Corpus,
    ) -> None:
        if not 1 <= window <= LARGEST_WINDOW:
            raise Mistake(f"batch.window={window} is out of range; set batch.window to 1 ... {LARGEST_WINDOW}")
        if not memory_gb >= SMALLEST_GB:
            raise Mistake(
                f"batch.memory_gb={memory_gb} is too little to count in; set batch.memory_gb to {SMALLEST_GB} or more"
            )
        self.size, self.window, self.distance_weighting = size, window, distance_weighting
        self.memory_gb, self.num_workers, self.seed = memory_gb, num_workers, seed
        self.eos, self.unk, self.folder = corpus.eos, corpus.unk, corpus.folder

    def share(self, *, rank: int = 0, world: int = 1) -> Share:
        """This rank's part of every step."""
        return share(self.size, None, rank=rank, world=world)

    def steps_per_epoch(self, tokens: Tokens) -> int:
        """Of the training split in `folder`: how many pairs it has, its length does not tell."""
        return -(-len(self._of_training) // self.size)

    def train(self, tokens: Tokens, *, rank: int = 0, world: int = 1) -> ShuffledPairs:
        """The training steps of one rank, by (step, 0)."""
        pairs = self.pairs(tokens)
        if not len(pairs):
            raise Mistake(
                f"the training text of {len(tokens)} tokens has no two known words in one sentence; "
                "lower tokenizer.min_count or give more text in data.path"
            )
        return ShuffledPairs(pairs, self.share(rank=rank, world=world), self.seed)

    def eval(self, tokens: Tokens) -> OrderedPairs:
        """A split's pairs, by number of the batch; none where it is too short to have any."""
        pairs = self.pairs(tokens)
        scale = _total(self._of_training) / _total(pairs) if len(pairs) else 1.0
        return OrderedPairs(pairs, self.size, scale)

    @cached_property
    def _of_training(self) -> Pairs:
        dtype = json.loads((self.folder / "meta.json").read_bytes())["dtype"]
        path = self.folder / "train.bin"
        return self.pairs(np.memmap(path, dtype=dtype, mode="r") if path.stat().st_size else np.empty(0, dtype=dtype))

    def pairs(self, tokens: Tokens) -> Pairs:
        """The counts of a text, made where they are not there yet."""
        path = self.folder / f"cooccurrences_{self._key(tokens)}.bin"
        if not path.exists():
            try:
                self._count(tokens, path)
            except OSError as error:
                explain(error, path, "counts")
                raise
        return np.memmap(path, dtype=PAIR, mode="r") if path.stat().st_size else np.empty(0, dtype=PAIR)

    def _key(self, tokens: Tokens) -> str:
        values = [VERSION, str(tokens.dtype), self.window, self.distance_weighting, self.eos, self.unk]
        found = hashlib.blake2b(json.dumps(values).encode(), digest_size=12)
        for block in blocks(tokens):
            found.update(np.ascontiguousarray(block).data)
        return found.hexdigest()

    def _count(self, tokens: Tokens, path: Path) -> None:
        """In a folder beside; then the whole file takes its name. Of jobs that do so at once, the last one stays."""
        building = Path(tempfile.mkdtemp(prefix=".building-", dir=self.folder))
        try:
            write_counts(
                tokens,
                building / "pairs",
                window=self.window,
                is_weighted=self.distance_weighting,
                eos=self.eos,
                unk=self.unk,
                memory=int(self.memory_gb * 2**30),
                folder=building,
            )
            with (building / "pairs").open("rb") as file:
                os.fsync(file.fileno())
            (building / "pairs").replace(path)
        finally:
            shutil.rmtree(building, ignore_errors=True)


SMALLEST_GB = 0.01
"""Of what a step of counting needs, whatever the tables."""


def _total(pairs: Pairs) -> float:
    return sum(float(pairs["count"][first : first + BLOCK].sum(dtype=float)) for first in range(0, len(pairs), BLOCK))


class ShuffledPairs(Dataset[types.Cooccurrences]):
    """(step, 0) -> Cooccurrences: the last step of an epoch has what is left."""

    def __init__(self, pairs: Pairs, share: Share, seed: int) -> None:
        self.pairs, self.share, self.seed = pairs, share, seed

    def __getitem__(self, key: tuple[int, int]) -> types.Cooccurrences:
        size, number = self.share.size, len(self.pairs)
        epoch, step = divmod(key[0], -(-number // size))
        rows = self.share.rows(key[1])
        first, last = (min(step * size + row, number) for row in (rows.start, rows.stop))
        keys = generator(self.seed, epoch).integers(0, 2**64, size=ROUNDS, dtype=np.uint64)
        return drawn(self.pairs, permuted(first, last, number, keys))


class OrderedPairs(Dataset[types.Cooccurrences]):
    """Batch number -> Cooccurrences: each pair once, its count times `scale`."""

    def __init__(self, pairs: Pairs, size: int, scale: float) -> None:
        self.pairs, self.size, self.scale = pairs, size, scale

    def __len__(self) -> int:
        return -(-len(self.pairs) // self.size)

    def __getitem__(self, number: int) -> types.Cooccurrences:
        if number >= len(self):
            raise IndexError(number)
        last = min(len(self.pairs), (number + 1) * self.size)
        found = drawn(self.pairs, np.arange(number * self.size, last))
        found.counts *= self.scale
        return found


def drawn(pairs: Pairs, index: Pairs) -> types.Cooccurrences:
    """Some of the records as tensors."""
    rows, columns, counts = (np.empty(len(index), dtype=PAIR[name]) for name in PAIR.names or ())
    _gather(np.asarray(pairs).view(np.int32).reshape(-1, 3), index, rows, columns, counts.view(np.int32))
    return types.Cooccurrences(torch.from_numpy(rows), torch.from_numpy(columns), torch.from_numpy(counts))


@numba.njit(cache=True, nogil=True)  # numpy takes 20 times as long for records
@no_type_check
def _gather(pairs: Pairs, index: Pairs, rows: Pairs, columns: Pairs, counts: Pairs) -> None:
    for place in range(len(index)):
        rows[place], columns[place], counts[place] = pairs[index[place]]
