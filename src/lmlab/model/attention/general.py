"""softmax(Q W K^T) V: a bilinear score (Luong et al. 2015, eq. 8, general)."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lmlab.model.attention.dot import Dot
from lmlab.model.attention.heads import whole_only


class General(Dot):
    """Multi-head attention with a matrix W of its own in each head."""

    def make_weights(self) -> None:
        self.weight = nn.Parameter(torch.empty(self.num_heads, self.head_dim, self.head_dim))
        nn.init.normal_(self.weight, std=self.head_dim**-1)  # so that scores begin as large as scaled ones

    def prepared(
        self, queries: Float[Tensor, "batch heads query head_dim"], keys: Float[Tensor, "batch kv_heads key head_dim"]
    ) -> tuple[Tensor, Tensor]:
        return queries @ self.weight.to(queries.dtype), keys

    def cut(self, ranks: int) -> tuple[str, Tensor]:
        raise whole_only("general")
