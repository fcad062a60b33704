"""The tag of each word from its own state: softmax(h W^T + b)."""

from jaxtyping import Float
from torch import Tensor, nn

from lmlab.head.separate import Separate


class PerToken(nn.Module):
    """Dropout and a linear map, in float32 behind it.

    Args:
        dim: of the states.
        num_tags: logits of a place.
        dropout: of the states.
    """

    def __init__(self, *, dim: int, num_tags: int, dropout: float) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(dim, num_tags)
        nn.init.normal_(self.output.weight, std=0.02)
        nn.init.zeros_(self.output.bias)

    def forward(self, states: Float[Tensor, "batch time dim"]) -> Separate:
        return Separate(self.output(self.dropout(states)).float())
