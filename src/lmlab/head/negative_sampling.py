"""Negative sampling: a word against words drawn as noise (Mikolov et al. 2013b, eq. 4)."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from lmlab.head.logistic import plain_sgd, targets_of, update
from lmlab.head.noise import alias_table
from lmlab.types import Mistake, Vocabulary, WordModel, WordWindows


class NegativeSampling(nn.Module):
    """log sigmoid(output of the word) + sum over noise words of log sigmoid(-output), noise drawn from counts^power.

    The words that predict the same word in one window share its noise (Ji et al. 2016).
    """

    reads = WordWindows

    def __init__(self, *, dim: int, vocabulary: Vocabulary, num_negatives: int, power: float) -> None:
        super().__init__()
        if num_negatives < 1:
            raise Mistake(f"head.num_negatives={num_negatives} is below 1; set head.num_negatives to e.g. 5")
        vocab = len(vocabulary.words)
        self.num_negatives = num_negatives
        self.output = nn.Parameter(torch.zeros(vocab, dim))
        counts = vocabulary.counts.astype(np.float64)
        noise = alias_table(np.where(counts > 0, np.maximum(counts, 1) ** power, 0.0))
        self._targets = targets_of(
            np.arange(vocab + 1), np.arange(vocab), np.ones(vocab), noise=noise, num_noise=num_negatives
        )

    def update(
        self,
        model: WordModel,
        batch: WordWindows,
        optimizer: torch.optim.Optimizer,
        rate: float,
        *,
        seed: int,
        threads: int,
    ) -> tuple[float, int]:
        """See WordHead."""
        return update(model, batch, self.output, self._targets, rate, seed=seed, threads=threads)

    def check(self, model: WordModel, optimizer: torch.optim.Optimizer) -> None:
        """See WordHead."""
        plain_sgd("negative_sampling", optimizer)
