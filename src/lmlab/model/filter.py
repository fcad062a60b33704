"""sum_j W_j x_{t + s_j} + b: a convolution, over the places that its taps read (van den Oord et al. 2016, section 2.1)."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F


class Filter(nn.Module):
    """The weights of torch's convolution, applied to what was read, so that a place may read only what it is allowed to."""

    def __init__(self, *, channels: int, features: int, width: int) -> None:
        super().__init__()
        self.convolution = nn.Conv1d(channels, features, width)

    def forward(self, taps: Sequence[Float[Tensor, "batch time channels"]]) -> Float[Tensor, "batch time features"]:
        """One tap for each of the filter's places."""
        weight = self.convolution.weight.transpose(1, 2).flatten(1)  # [features, width * channels]
        return F.linear(torch.cat(tuple(taps), dim=-1), weight, self.convolution.bias)
