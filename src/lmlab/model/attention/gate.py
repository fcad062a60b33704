"""Y * sigmoid(X W): a gate on what attention gives, from the states that ask (Qiu et al. 2025, Gated Attention, eq. 5, G1)."""

from typing import Literal

from jaxtyping import Float
from torch import Tensor, nn

from lmlab.types import Mistake


class Gate(nn.Module):
    """One number for each head (`head`) or for each of its features (`elementwise`), before the output projection.

    W has no bias and begins as the model's other projections do, so that every gate begins near a half.
    """

    def __init__(
        self, *, dim: int, num_heads: int, head_dim: int, each: Literal["head", "elementwise"], part: str
    ) -> None:
        super().__init__()
        self.projection = nn.Linear(dim, num_heads * (head_dim if each == "elementwise" else 1), bias=False)
        self.part = part

    def forward(
        self, states: Float[Tensor, "batch query dim"], attended: Float[Tensor, "batch heads query head_dim"]
    ) -> Float[Tensor, "batch heads query head_dim"]:
        batch, time, _ = states.shape
        gate: Tensor = self.projection(states).sigmoid().view(batch, time, attended.shape[1], -1).transpose(1, 2)
        return attended * gate

    def cut(self, ranks: int) -> tuple[str, Tensor]:
        """Tensor parallelism shares projections of heads, and this one stays whole."""
        raise Mistake(
            f"strategy=tensor_parallel shares heads among ranks, which a gate on them does not follow; "
            f"set model.{self.part}.gate=null, or choose strategy=fsdp"
        )
