"""(x - mean) / sqrt(variance + eps) * g + b (Ba et al. 2016, eq. 4)."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F


class LayerNorm(nn.Module):
    """Layer normalisation, with or without the bias b."""

    def __init__(self, *, dim: int, eps: float, bias: bool) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(dim))
        self.bias = nn.Parameter(torch.zeros(dim)) if bias else None
        self.eps = eps

    def forward(self, states: Float[Tensor, "*shape dim"]) -> Float[Tensor, "*shape dim"]:
        return F.layer_norm(states, self.weight.shape, self.weight, self.bias, self.eps)
