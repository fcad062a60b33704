"""Where an answer begins and where it ends: S . h and E . h of each state h (Devlin et al. 2019, 4.2)."""

from jaxtyping import Float
from torch import Tensor, nn


class Span(nn.Module):
    """Dropout and a linear map, in float32 behind it.

    Args:
        dim: of the states.
        num_ends: logits of a place: 2, that an answer begins there and that it ends there.
        dropout: of the states.
    """

    def __init__(self, *, dim: int, num_ends: int, dropout: float) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(dim, num_ends)
        nn.init.normal_(self.output.weight, std=0.02)
        nn.init.zeros_(self.output.bias)

    def forward(self, states: Float[Tensor, "batch time dim"]) -> Float[Tensor, "batch time ends"]:
        logits: Tensor = self.output(self.dropout(states))
        return logits.float()
