"""One vector a word, learned from the words around it: skip-gram and CBOW (Mikolov et al. 2013a)."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lmlab.types import Vocabulary


class Word2vec(nn.Module):
    """Skip-gram: each word of a window predicts the one in its middle (by the paper the other way round; as in word2vec here).

    Args:
        cbow: their mean predicts it instead, and each of them takes the whole error of the mean.
    """

    predicts_context = False

    def __init__(self, *, dim: int, cbow: bool, vocabulary: Vocabulary) -> None:
        super().__init__()
        self.dim, self.averages_context = dim, cbow
        vocab = len(vocabulary.words)
        self.embedding = nn.Embedding(vocab, dim)
        nn.init.uniform_(self.embedding.weight, -0.5 / dim, 0.5 / dim)
        self.register_buffer("first", torch.arange(vocab + 1), persistent=False)
        self.register_buffer("rows", torch.arange(vocab, dtype=torch.int32), persistent=False)

    def vectors(self) -> Float[Tensor, "vocab dim"]:
        """By id."""
        return self.embedding.weight

    def unseen(self, word: str) -> Float[Tensor, " dim"] | None:
        """None: only words of the training text have a vector."""
        return None
