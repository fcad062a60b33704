"""CBOW: the mean of the words of a window predicts the word in its middle (Mikolov et al. 2013a)."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lmlab.types import Vocabulary


class CBOW(nn.Module):
    """One vector a word; as in word2vec each word of the window takes the whole error of their mean."""

    averages_context = True
    predicts_context = False

    def __init__(self, *, dim: int, vocabulary: Vocabulary) -> None:
        super().__init__()
        self.dim, vocab = dim, len(vocabulary.words)
        self.embedding = nn.Embedding(vocab, dim)
        nn.init.uniform_(self.embedding.weight, -0.5 / dim, 0.5 / dim)
        self.register_buffer("first", torch.arange(vocab + 1), persistent=False)
        self.register_buffer("rows", torch.arange(vocab, dtype=torch.int32), persistent=False)
        self._number = {word: number for number, word in enumerate(vocabulary.words)}

    def vectors(self) -> Float[Tensor, "vocab dim"]:
        """By id."""
        return self.embedding.weight

    def vector_of(self, word: str) -> Float[Tensor, " dim"] | None:
        """None for a word that has no vector."""
        number = self._number.get(word)
        return None if number is None else self.embedding.weight[number]
