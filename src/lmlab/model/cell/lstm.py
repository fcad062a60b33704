"""Long short-term memory with input, forget and output gates (Hochreiter and Schmidhuber 1997; Gers et al. 2000)."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lmlab.model.cell.fused import fused, zeros


class Lstm(nn.Module):
    """One layer by torch's fused kernel; its state is (hidden, memory cell)."""

    def __init__(self, *, input_dim: int, dim: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(input_dim, dim, batch_first=True)

    def forward(
        self, inputs: Float[Tensor, "batch time input_dim"], state: tuple[Tensor, ...] | None
    ) -> tuple[Float[Tensor, "batch time dim"], tuple[Tensor, ...]]:
        before = zeros(inputs, dim=self.lstm.hidden_size, parts=2) if state is None else state
        return fused(torch.lstm, self.lstm, inputs, before)
