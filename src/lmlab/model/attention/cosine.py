"""softmax(strength * cos(Q, K)) V: only the direction counts (Graves et al. 2014, eq. 5 and 6; Liu et al. 2022, eq. 2)."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from lmlab.model.attention.dot import Dot
from lmlab.model.attention.heads import whole_only


class Cosine(Dot):
    """Multi-head cosine attention; each head learns the logarithm of its strength, which begins at 10."""

    takes_relation = False  # a key with something added has another direction

    def make_weights(self) -> None:
        self.log_strength = nn.Parameter(torch.full((self.num_heads, 1, 1), 10.0).log())

    def prepared(
        self, queries: Float[Tensor, "batch heads query head_dim"], keys: Float[Tensor, "batch kv_heads key head_dim"]
    ) -> tuple[Tensor, Tensor]:
        strength = self.log_strength.clamp(max=MOST).exp()
        return (F.normalize(queries, dim=-1) * strength).to(queries.dtype), F.normalize(keys, dim=-1)

    def cut(self, ranks: int) -> tuple[str, Tensor]:
        raise whole_only("cosine")


MOST = 4.6052
"""log 100, above which weights are hard choices and gradients vanish (Liu et al. 2022, 3.3)."""
