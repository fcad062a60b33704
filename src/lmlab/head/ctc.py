"""Symbols and a blank at every state (Graves et al. 2006, section 3.1)."""

from jaxtyping import Float
from torch import Tensor, nn


class Ctc(nn.Module):
    """Dropout and a linear map; the last symbol is the blank.

    Args:
        dim: of the states.
        num_symbols: tokens and the blank.
        dropout: of the states.
    """

    def __init__(self, *, dim: int, num_symbols: int, dropout: float) -> None:
        super().__init__()
        self.blank = num_symbols - 1
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(dim, num_symbols)
        nn.init.normal_(self.output.weight, std=0.02)
        nn.init.zeros_(self.output.bias)

    def forward(self, states: Float[Tensor, "batch time dim"]) -> Float[Tensor, "batch time symbols"]:
        logits: Tensor = self.output(self.dropout(states))
        return logits
