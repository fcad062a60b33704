"""softmax(v^T tanh(W q + U k)) V: a small network as score (Bahdanau et al. 2015, appendix A.1.2)."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lmlab.model.attention.heads import Heads, extend, repeat, whole_only
from lmlab.model.attention.product import weighted
from lmlab.types import Mask


class Additive(nn.Module):
    """Multi-head additive attention: the projections of queries and keys are W and U, and each head has a v.

    Its memory is batch x heads x query x key x head_dim numbers: there is no fused kernel for it.
    """

    def __init__(
        self, *, dim: int, memory_dim: int | None, num_heads: int, num_kv_heads: int | None, bias: bool, dropout: float
    ) -> None:
        super().__init__()
        self.heads = Heads(
            dim=dim, memory_dim=memory_dim, num_heads=num_heads, num_kv_heads=num_kv_heads, bias=bias, qk_norm=False
        )
        self.num_heads = num_heads
        self.head_dim = self.heads.head_dim
        self.dropout = dropout
        self.score = nn.Parameter(torch.empty(num_heads, self.head_dim, 1))
        nn.init.normal_(self.score, std=self.head_dim**-0.5)

    def hidden(
        self, queries: Float[Tensor, "batch heads query head_dim"], keys: Float[Tensor, "batch heads key head_dim"]
    ) -> Float[Tensor, "batch heads query key head_dim"]:
        """The network's hidden layer for each pair."""
        return torch.tanh(queries[:, :, :, None] + keys[:, :, None])

    def forward(
        self,
        query: Float[Tensor, "batch query dim"],
        memory: Float[Tensor, "batch key memory_dim"],
        mask: Mask,
        state: tuple[Tensor, Tensor] | None = None,
        *,
        rotate: Callable[[Tensor], Tensor] | None = None,
        with_weights: bool = False,
    ) -> tuple[Float[Tensor, "batch query dim"], tuple[Tensor, Tensor], Float[Tensor, "batch heads query seen"] | None]:
        queries, keys, values = self.heads.split(query, memory, rotate)
        keys, values = extend(state, keys, values)
        hidden = self.hidden(queries, repeat(keys, self.num_heads))
        scores = (hidden @ self.score[:, None].to(hidden.dtype)).squeeze(-1)
        attended, weights = weighted(scores, values, mask, dropout=self.dropout if self.training else 0.0)
        return self.heads.merge(attended), (keys, values), weights if with_weights else None

    def cut(self, ranks: int) -> tuple[str, Tensor]:
        raise whole_only("additive")
