"""The gated recurrent unit, with a reset and an update gate (Cho et al. 2014, eq. 5-8)."""

from jaxtyping import Float
from torch import Tensor, nn


class Gru(nn.Module):
    """One layer by torch's fused kernel."""

    def __init__(self, *, input_dim: int, dim: int) -> None:
        super().__init__()
        self.gru = nn.GRU(input_dim, dim, batch_first=True)

    def forward(
        self, inputs: Float[Tensor, "batch time input_dim"], state: tuple[Tensor, ...] | None
    ) -> tuple[Float[Tensor, "batch time dim"], tuple[Tensor, ...]]:
        states, last = self.gru(inputs, None if state is None else state[0][None])
        return states, (last[0],)
