"""p(w | h) = product of sigmoid(+-h . v_n) over the nodes n on the way to w (Morin and Bengio 2005; Mikolov et al. 2013b, eq. 3)."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from lmlab.head.huffman import huffman
from lmlab.head.logistic import Targets, plain_sgd, update
from lmlab.types import Cooccurrences, Mistake, Vocabulary, WordModel, WordWindows


class HierarchicalSoftmax(nn.Module):
    """A decision at each inner node of a Huffman tree of the words: about log2 of the vocabulary instead of all of it.

    The words that predict the same word in one window make their decisions at once.
    """

    def __init__(self, *, dim: int, vocabulary: Vocabulary) -> None:
        super().__init__()
        words = int((vocabulary.counts > 0).sum())
        if words < 2:
            raise Mistake(f"head=hierarchical_softmax needs 2 words to decide between, and tokenizer.min_count leaves {words}")
        self.output = nn.Parameter(torch.zeros(words - 1, dim), requires_grad=False)
        self.paths = huffman(vocabulary.counts)
        self._signs = np.where(self.paths.codes == 0, 1, -1).astype(np.float32)  # word2vec's label is 1 - code
        self._noise = np.zeros(0, np.uint32), np.zeros(0, np.int32)

    def check(self, model: WordModel, optimizer: torch.optim.Optimizer) -> None:
        """Plain SGD alone, because each step changes few rows of large tables."""
        plain_sgd("hierarchical_softmax", optimizer)

    def update(
        self,
        model: WordModel,
        batch: WordWindows | Cooccurrences,
        optimizer: torch.optim.Optimizer,
        rate: float,
        *,
        seed: int,
        threads: int,
    ) -> tuple[float, int]:
        """As in WordHead; the loss is -log p(word), exactly."""
        first, nodes, _ = self.paths
        targets = Targets(self.output.detach().numpy(), first, nodes, self._signs, *self._noise, 0)
        return update(model, batch, targets, rate, seed=seed, threads=threads)
