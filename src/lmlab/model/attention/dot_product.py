"""What all attentions share whose score is a dot product: heads, cache, and a fused kernel where no weights are asked for."""

from collections.abc import Callable

from jaxtyping import Float
from torch import Tensor, nn

from lmlab.model.attention.heads import Heads, extend
from lmlab.model.attention.product import fused, plain
from lmlab.types import Mask


class DotProduct(nn.Module):
    """softmax(scale * Q' K'^T) V; a subclass says the scale, and what becomes of queries and keys."""

    scale = 1.0

    def __init__(
        self,
        *,
        dim: int,
        memory_dim: int | None,
        num_heads: int,
        num_kv_heads: int | None,
        bias: bool,
        dropout: float,
        qk_norm: bool,
    ) -> None:
        super().__init__()
        self.heads = Heads(
            dim=dim, memory_dim=memory_dim, num_heads=num_heads, num_kv_heads=num_kv_heads, bias=bias, qk_norm=qk_norm
        )
        self.num_heads = num_heads
        self.head_dim = self.heads.head_dim
        self.dropout = dropout

    def prepared(
        self, queries: Float[Tensor, "batch heads query head_dim"], keys: Float[Tensor, "batch kv_heads key head_dim"]
    ) -> tuple[Tensor, Tensor]:
        """What is multiplied; the keys are kept like that in the state."""
        return queries, keys

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
        queries, keys = self.prepared(queries, keys)
        keys, values = extend(state, keys, values)
        dropout = self.dropout if self.training else 0.0
        if with_weights:
            attended, weights = plain(queries, keys, values, mask, scale=self.scale, dropout=dropout)
            return self.heads.merge(attended), (keys, values), weights
        attended = fused(queries, keys, values, mask, scale=self.scale, dropout=dropout)
        return self.heads.merge(attended), (keys, values), None
