"""x / sqrt(mean(x^2) + eps) * g (Zhang and Sennrich 2019, eq. 4)."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F


class RmsNorm(nn.Module):
    """Root mean square layer normalisation."""

    def __init__(self, *, dim: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(dim))
        self.eps = eps

    def forward(self, states: Float[Tensor, "*shape dim"]) -> Float[Tensor, "*shape dim"]:
        return F.rms_norm(states, self.weight.shape, self.weight.to(states.dtype), self.eps)
