"""Counts of words and of neighbours, and which neighbours are phrases (Mikolov et al. 2013b, eq. 6).

Memory grows with the number of different pairs, 16 bytes each, whatever the length of the text.
"""

from __future__ import annotations

from collections import defaultdict

import numpy as np
from jaxtyping import Int

from lmlab.types import EOS, UNK

HELD = 2**20
"""Words that are held back, so that many short texts are counted in one go."""


class PairCounts:
    """Of all words in their order; across the end of a line there are no neighbours, nor with the unknown word."""

    def __init__(self) -> None:
        self._index: defaultdict[str, int] = defaultdict(None, dict.fromkeys(("\n", EOS, UNK), 0))
        self._index.default_factory = self._index.__len__
        self._held: list[str] = []
        self._words = np.zeros(0, np.int64)
        self._pairs = np.zeros((2, 0), np.int64)
        self._new: list[np.ndarray] = []

    def add(self, words: list[str]) -> None:
        """Words in their order; a newline ends a sentence or a document."""
        self._held += words
        if len(self._held) >= HELD and self._held[-1] == "\n":
            self._count()

    def above(self, threshold: float, *, discount: float) -> dict[tuple[str, str], str]:
        """Pairs with (count(ab) - discount) / (count(a) count(b)) x number of words above the threshold -> their token."""
        self._count()
        self._merge()
        pairs, counts = self._pairs
        first, second = pairs >> 32, pairs & (2**32 - 1)
        scores = (counts - discount) / (self._words[first] * self._words[second]) * self._words[1:].sum()
        names = list(self._index)
        # The three names of index 0 stand first, so that the word of index i >= 3 stands at i.
        found = [(names[a], names[b]) for a, b in zip(*(ids[scores > threshold] for ids in (first, second)))]
        return {(a, b): f"{a}_{b}" for a, b in sorted(found)}

    def _count(self) -> None:
        ids = np.fromiter(map(self._index.__getitem__, self._held), np.int64, len(self._held))
        self._held = []
        counts = np.bincount(ids, minlength=len(self._index))
        counts[: len(self._words)] += self._words
        self._words = counts
        first, second = ids[:-1], ids[1:]
        inside = (first > 0) & (second > 0)
        self._new.append(np.stack(np.unique(first[inside] << 32 | second[inside], return_counts=True)))
        if sum(new.shape[1] for new in self._new) > self._pairs.shape[1]:
            self._merge()

    def _merge(self) -> None:
        """As rarely as new pairs are as many as all before, so that the time of it stays in proportion to the text."""
        self._pairs, self._new = _summed(np.concatenate([self._pairs, *self._new], axis=1)), []


def _summed(pairs: Int[np.ndarray, "2 pairs"]) -> Int[np.ndarray, "2 different"]:
    """Pairs in order, each once, with the sum of its counts."""
    keys, counts = pairs[:, np.argsort(pairs[0], kind="stable")]
    starts = np.flatnonzero(np.diff(keys, prepend=-1))
    return np.stack([keys[starts], np.add.reduceat(counts, starts) if len(starts) else counts])
