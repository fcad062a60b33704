"""The statistics of a split by example, for tests over examples: kept by the last evaluation of a run, and by no other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, distributed


class PerExample:
    """Whole numbers, so that any order and number of ranks gives the same sums; each is a count of its statistic's unit.

    Args:
        ends: the place after the last one of each example, ascending; places are `Batch.place`.
        units: statistic -> what one count stands for.
    """

    def __init__(self, *, ends: Int[np.ndarray, "examples"], units: Mapping[str, float]) -> None:
        self.units = dict(units)
        self.totals: Float[np.ndarray, "examples statistics"] | None = None
        """What the last evaluation found."""
        self._ends = torch.from_numpy(ends)
        self._sums = torch.zeros(len(ends), len(units), dtype=torch.long)
        self._known = torch.zeros_like(self._sums)

    def add(self, place: Int[Tensor, "..."], counts: Int[Tensor, "... statistics"]) -> None:
        """A batch: what is counted at each place, 0 at padding, whose places may lie beyond the last example."""
        self._ends, self._sums = self._added(self._sums, place, counts)

    def add_known(self, place: Int[Tensor, "..."], counts: Int[Tensor, "... statistics"]) -> None:
        """What every rank has found of the whole split, as metrics do that gather it before they compute: it counts once."""
        self._ends, self._known = self._added(self._known, place, counts)

    def _added(self, sums: Tensor, place: Tensor, counts: Tensor) -> tuple[Tensor, Tensor]:
        device = place.device if place.device.type == "cuda" else torch.device("cpu")  # MPS lacks some sums of integers
        ends, sums = self._ends.to(device), sums.to(device)
        example = torch.bucketize(place.to(device).flatten(), ends, right=True)
        return ends, sums.index_add_(0, example.clamp(max=len(ends) - 1), counts.to(device).flatten(0, -2))

    def conclude(self) -> None:
        """At the end of an evaluation: the sums over all ranks, each of which calls it; the next begins at 0."""
        if distributed.is_available() and distributed.is_initialized():
            distributed.all_reduce(self._sums)
        sums = self._sums.cpu() + self._known.cpu()
        self.totals = sums.numpy() * np.array(list(self.units.values()))
        self._sums.zero_()
        self._known.zero_()


@runtime_checkable
class Comparable(Protocol):
    """A metric whose figures follow from sums over examples: then `lmlab report SWEEP test=bootstrap` can compare them.

    Its `update` adds to `by_example` where that is not None, its `compute` concludes it. `TokenLoss` adds up losses,
    `TextScores` lengths and matches of n-grams, `TagScores` true and false positives and false negatives.
    """

    units: Mapping[str, float]
    """Statistic -> what one count of it stands for; those of `scores` that are not here, the data tells (bytes, words)."""
    scores: Mapping[str, tuple[str, tuple[str, ...]]]
    """Figure -> its function in lmlab.report.corpus_comparison.SCORES, and the statistics that this takes, in order."""
    by_example: PerExample | None
