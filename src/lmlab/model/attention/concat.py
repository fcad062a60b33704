"""softmax(v^T tanh(W [q; k])) V: the score of the two side by side (Luong et al. 2015, eq. 8, concat)."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lmlab.model.attention.additive import Additive


class Concat(Additive):
    """Multi-head; W is of each head and as wide as it, on top of the projections.

    W [q; k] is computed as W_q q + W_k k, which is the same.
    """

    def make_weights(self) -> None:
        super().make_weights()
        self.weight = nn.Parameter(torch.empty(self.num_heads, 2 * self.head_dim, self.head_dim))
        nn.init.normal_(self.weight, std=self.head_dim**-0.5)

    def hidden(
        self, queries: Float[Tensor, "batch heads query head_dim"], keys: Float[Tensor, "batch heads key head_dim"]
    ) -> Float[Tensor, "batch heads query key head_dim"]:
        of_query, of_key = self.weight.to(queries.dtype).chunk(2, dim=1)
        return super().hidden(queries @ of_query, keys @ of_key)
