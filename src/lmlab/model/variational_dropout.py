"""Dropout with one mask for all times of a sequence (Gal and Ghahramani 2016, section 4).

A sequence is what one call sees of a row: with carried state (batch=streams) the mask is drawn anew in every window, as
Merity et al. 2018 (4.2) do; documents packed into one row share it.
"""

from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F
from torch.nn.modules.dropout import _DropoutNd


class VariationalDropout(_DropoutNd):
    """A mask over rows and width, scaled by 1 / (1 - p)."""

    def forward(self, states: Float[Tensor, "batch time dim"]) -> Float[Tensor, "batch time dim"]:
        if not self.training or self.p == 0:
            return states
        return states * F.dropout(states.new_ones(states.shape[0], 1, states.shape[2]), self.p)
