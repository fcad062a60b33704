"""The gated recurrent unit, with a reset and an update gate (Cho et al. 2014, eq. 5-8)."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lmlab.model.cell.fused import fused, zeros


class Gru(nn.Module):
    """One layer by torch's fused kernel."""

    def __init__(self, *, input_dim: int, dim: int) -> None:
        super().__init__()
        self.gru = nn.GRU(input_dim, dim, batch_first=True)

    def forward(
        self, inputs: Float[Tensor, "batch time input_dim"], state: tuple[Tensor, ...] | None
    ) -> tuple[Float[Tensor, "batch time dim"], tuple[Tensor, ...]]:
        before = zeros(inputs, dim=self.gru.hidden_size, parts=1) if state is None else state
        return fused(torch.gru, self.gru, inputs, before)
