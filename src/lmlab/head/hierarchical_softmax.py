"""p(w | h) = product of sigmoid(+-h . v_n) over the nodes n on the way to w (Mikolov et al. 2013b, eq. 3)."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from lmlab.head.huffman import huffman
from lmlab.head.logistic import plain_sgd, targets_of, update
from lmlab.types import Mistake, Vocabulary, WordModel, WordWindows


class HierarchicalSoftmax(nn.Module):
    """A decision at each inner node of a Huffman tree of the words: about log2 of the vocabulary instead of all of it.

    The words that predict the same word in one window make their decisions at once.
    """

    reads = WordWindows

    def __init__(self, *, dim: int, vocabulary: Vocabulary) -> None:
        super().__init__()
        words = int((vocabulary.counts > 0).sum())
        if words < 2:
            raise Mistake(
                f"head=hierarchical_softmax needs 2 words to decide between, and tokenizer.min_count leaves {words}"
            )
        self.output = nn.Parameter(torch.zeros(words - 1, dim))
        self.paths = huffman(vocabulary.counts)
        signs = np.where(self.paths.codes == 0, 1, -1)  # word2vec's label is 1 - code
        self._targets = targets_of(self.paths.first, self.paths.nodes, signs)

    def check(self, model: WordModel, optimizer: torch.optim.Optimizer) -> None:
        """Plain SGD alone, because each step changes few rows of large tables."""
        plain_sgd("hierarchical_softmax", optimizer)

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
        """As in WordHead; the loss is -log p(word), exactly."""
        return update(model, batch, self.output, self._targets, rate, seed=seed, threads=threads)
