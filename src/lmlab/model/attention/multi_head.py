"""What all attentions share beside their score: heads, cache, dropout."""

from collections.abc import Callable

from jaxtyping import Float
from torch import Tensor, nn

from lmlab.model.attention.heads import Heads, extend
from lmlab.types import Mask


class MultiHead(nn.Module):
    """softmax(score(Q, K)) V by heads; a subclass says the score.

    Subclasses have no constructor of their own, so that all of them take, and check, the same keys.
    """

    def __init__(
        self,
        *,
        dim: int,
        memory_dim: int | None,
        num_heads: int,
        num_kv_heads: int | None,
        head_dim: int | None,
        bias: bool,
        dropout: float,
        qk_norm: bool,
    ) -> None:
        super().__init__()
        self.heads = Heads(
            dim=dim,
            memory_dim=memory_dim,
            num_heads=num_heads,
            num_kv_heads=num_kv_heads,
            head_dim=head_dim,
            bias=bias,
            qk_norm=qk_norm,
        )
        self.num_heads = num_heads
        self.head_dim = self.heads.head_dim
        self.dropout = dropout
        self.make_weights()

    def make_weights(self) -> None:
        """Those of the score's own, beside the projections."""

    def attend(
        self,
        queries: Float[Tensor, "batch heads query head_dim"],
        keys: Float[Tensor, "batch kv_heads key head_dim"],
        values: Float[Tensor, "batch kv_heads key head_dim"],
        mask: Mask,
        *,
        dropout: float,
        with_weights: bool,
    ) -> tuple[Float[Tensor, "batch heads query head_dim"], Float[Tensor, "batch heads query key"] | None]:
        """Values by the weights of their scores, and the weights where they are asked for."""
        raise NotImplementedError

    def prepared(
        self, queries: Float[Tensor, "batch heads query head_dim"], keys: Float[Tensor, "batch kv_heads key head_dim"]
    ) -> tuple[Tensor, Tensor]:
        """What the score is made of; the keys are kept like that in the state."""
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
        attended, weights = self.attend(queries, keys, values, mask, dropout=dropout, with_weights=with_weights)
        return self.heads.merge(attended), (keys, values), weights
