"""sum_j W_j x_{t + s_j} + b: a convolution, over the places that its taps read (van den Oord et al. 2016, section 2.1)."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F


class Filter(nn.Conv1d):
    """torch's weights and their start, applied to what was read, so that each place may read what it is allowed to."""

    def forward(self, taps: Sequence[Float[Tensor, "batch time channels"]]) -> Float[Tensor, "batch time features"]:
        weight = self.weight.transpose(1, 2).flatten(1)  # [features, taps * channels]
        return F.linear(torch.cat(tuple(taps), dim=-1), weight, self.bias)
