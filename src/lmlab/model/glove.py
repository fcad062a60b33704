"""Vectors whose products, with a bias for each word, are the logarithms of how often words stand near each other.

w_i^T w~_j + b_i + b~_j = log X_ij      (Pennington et al. 2014, eq. 7)
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lmlab.types import Vocabulary


class Glove(nn.Module):
    """A word has a vector as the one in the middle and one as a part of contexts; their sum is what it is known by (4.2)."""

    averages_context = False
    predicts_context = False
    first: Tensor
    rows: Tensor

    def __init__(self, *, dim: int, vocabulary: Vocabulary) -> None:
        super().__init__()
        self.dim = dim
        number = len(vocabulary.words)
        self.embedding, self.context = nn.Embedding(number, dim), nn.Embedding(number, dim)
        self.bias, self.context_bias = nn.Parameter(torch.empty(number)), nn.Parameter(torch.empty(number))
        self.register_buffer("first", torch.arange(number + 1), persistent=False)
        self.register_buffer("rows", torch.arange(number, dtype=torch.int32), persistent=False)
        for parameter in self.parameters():  # as the published program has it
            nn.init.uniform_(parameter, -0.5 / (dim + 1), 0.5 / (dim + 1))

    def vectors(self) -> Float[Tensor, "vocab dim"]:
        """W + W~: the same for a corpus read backwards, and a little better than either (4.2)."""
        return self.embedding.weight + self.context.weight

    def unseen(self, word: str) -> Float[Tensor, "dim"] | None:
        """None: only words of the training text have a vector."""
        return None
