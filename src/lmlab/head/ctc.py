"""Symbols and a blank at every state (Graves et al. 2006, section 3.1)."""

from jaxtyping import Float
from torch import Tensor, nn


class Ctc(nn.Module):
    """Dropout and a linear map; the last symbol is the blank.

    Args:
        dim: of the states.
        num_symbols: of the transcripts; the blank is one more.
        dropout: of the states.
    """

    parts = frozenset({"ctc"})
    ctc_weight = 1.0

    def __init__(self, *, dim: int, num_symbols: int, dropout: float) -> None:
        super().__init__()
        self.blank = num_symbols
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(dim, num_symbols + 1)
        nn.init.normal_(self.output.weight, std=0.02)
        nn.init.zeros_(self.output.bias)

    @property
    def ctc(self) -> nn.Module:
        """Itself: it reads an encoder's states."""
        return self

    def forward(self, states: Float[Tensor, "batch time dim"]) -> Float[Tensor, "batch time symbols"]:
        logits: Tensor = self.output(self.dropout(states))
        return logits
