"""A conditional random field over the tags of a sentence (Lafferty et al. 2001), on learned states (Huang et al. 2015)."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lmlab.head.chain import Chain


class Crf(nn.Module):
    """Dropout and a linear map onto scores of words, beside learned scores of neighbouring tags; in float32.

    Args:
        dim: of the states.
        num_tags: tags that there are.
        dropout: of the states.
    """

    def __init__(self, *, dim: int, num_tags: int, dropout: float) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(dim, num_tags)
        nn.init.normal_(self.output.weight, std=0.02)
        nn.init.zeros_(self.output.bias)
        self.transitions = nn.Parameter(torch.zeros(num_tags, num_tags))
        self.start = nn.Parameter(torch.zeros(num_tags))
        self.end = nn.Parameter(torch.zeros(num_tags))

    def forward(self, states: Float[Tensor, "batch time dim"]) -> Chain:
        emissions = self.output(self.dropout(states)).float()
        return Chain(emissions, self.transitions.float(), self.start.float(), self.end.float())
