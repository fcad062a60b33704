"""softmax(v^T tanh(W q + U k)) V: a small network as score (Bahdanau et al. 2015, appendix A.1.2)."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lmlab.model.attention.heads import repeat, whole_only
from lmlab.model.attention.multi_head import MultiHead
from lmlab.model.attention.product import weighted
from lmlab.types import Mask


class Additive(MultiHead):
    """Multi-head additive attention: the projections of queries and keys are W and U, and each head has a v.

    Its memory is batch x heads x query x key x head_dim numbers: there is no fused kernel for it.
    """

    is_product = False

    def make_weights(self) -> None:
        self.score = nn.Parameter(torch.empty(self.num_heads, self.head_dim, 1))
        nn.init.normal_(self.score, std=self.head_dim**-0.5)

    def hidden(
        self, queries: Float[Tensor, "batch heads query head_dim"], keys: Float[Tensor, "batch heads key head_dim"]
    ) -> Float[Tensor, "batch heads query key head_dim"]:
        """The network's hidden layer for each pair."""
        return torch.tanh(queries[:, :, :, None] + keys[:, :, None])

    def attend(
        self,
        queries: Float[Tensor, "batch heads query head_dim"],
        keys: Float[Tensor, "batch kv_heads key head_dim"],
        values: Float[Tensor, "batch kv_heads key head_dim"],
        mask: Mask,
        *,
        backend: str,
        dropout: float,
        with_weights: bool,
    ) -> tuple[Float[Tensor, "batch heads query head_dim"], Float[Tensor, "batch heads query key"] | None]:
        hidden = self.hidden(queries, repeat(keys, self.num_heads))
        scores = (hidden @ self.score[:, None].to(hidden.dtype)).squeeze(-1)
        attended, weights = weighted(
            scores, values, mask, logit_cap=self.logit_cap, sinks=self.sink_logits(), dropout=dropout
        )
        return attended, weights if with_weights else None

    def cut(self, ranks: int) -> tuple[str, Tensor]:
        raise whole_only("additive")
