"""p(w | h) = exp(h . v_w) / sum_u exp(h . v_u) over all words (Mikolov et al. 2013b, eq. 2): exact, and slow for many words."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from lmlab.head.logistic import plain_sgd
from lmlab.head.predictions import predictions
from lmlab.types import Mistake, Vocabulary, WordModel, WordWindows


class FullSoftmax(nn.Module):
    """What hierarchical softmax and negative sampling stand in for; by its loss, with rate 0, all can be compared.

    A group of predictions is made with the vectors as they stand before it and learned from together, in matrix products.
    As in word2vec, each row of a mean moves by the gradient of the mean.
    """

    reads = WordWindows
    bias: Float[Tensor, "vocab"]

    def __init__(self, *, dim: int, vocabulary: Vocabulary, group_size: int) -> None:
        super().__init__()
        if group_size < 1:
            raise Mistake(f"head.group_size={group_size} must be at least 1")
        self.group_size = group_size
        self.output = nn.Parameter(torch.zeros(len(vocabulary.words), dim))
        never = torch.from_numpy(np.where(vocabulary.counts > 0, 0, -np.inf).astype(np.float32))
        self.register_buffer("bias", never, persistent=False)

    def check(self, model: WordModel, optimizer: torch.optim.Optimizer) -> None:
        """See WordHead."""
        plain_sgd("full_softmax", optimizer)

    @torch.no_grad()
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
        words, first, rows = predictions(model, batch)
        loss = torch.zeros((), dtype=torch.float64, device=words.device)
        for start in range(0, len(words), self.group_size):
            ends = first[start : start + self.group_size + 1]
            group = rows[ends[0] : ends[-1]]
            loss += self._learn(model.embedding.weight, words[start : start + self.group_size], ends, group, rate)
        return float(loss), len(words)

    def _learn(
        self,
        table: Float[Tensor, "rows dim"],
        words: Int[Tensor, "prediction"],
        ends: Int[Tensor, "ends"],
        rows: Int[Tensor, "row"],
        rate: float,
    ) -> Float[Tensor, ""]:
        """-> the summed loss before the update."""
        hidden = F.embedding_bag(rows, table, ends[:-1] - ends[0], mode="mean")
        log_probabilities = torch.addmm(self.bias, hidden, self.output.T).log_softmax(dim=1)
        loss = F.nll_loss(log_probabilities, words, reduction="sum")
        if rate:
            error = log_probabilities.exp_()
            error[torch.arange(len(words), device=words.device), words] -= 1
            of_hidden = error @ self.output
            self.output.addmm_(error.T, hidden, alpha=-rate)
            table.index_add_(0, rows, of_hidden.repeat_interleave(ends.diff(), dim=0), alpha=-rate)
        return loss
