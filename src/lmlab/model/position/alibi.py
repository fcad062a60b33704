"""Scores lowered by slope * distance, one fixed slope per head (ALiBi: Press et al. 2022, 3)."""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor

from lmlab.model.position.none import NoPosition


class Alibi(NoPosition):
    """A penalty on distance; in an encoder alike to both sides."""

    def __init__(self, *, dim: int, head_dim: int, num_heads: int, causal: bool) -> None:
        super().__init__(dim=dim, head_dim=head_dim, num_heads=num_heads, causal=causal)
        self.num_heads = num_heads

    def bias(
        self, query: Int[Tensor, "rows query"], key: Int[Tensor, "rows key"]
    ) -> Float[Tensor, "rows heads query key"]:
        distance = (query[:, None, :, None] - key[:, None, None, :]).abs()
        return -_slopes(self.num_heads, distance.device)[:, None, None] * distance


def _slopes(num_heads: int, device: torch.device) -> Float[Tensor, " heads"]:
    """2^(-8/n), 2^(-16/n), ... for n heads; heads beyond a power of two take every other slope of the next power."""
    power = 2 ** math.floor(math.log2(num_heads))
    steps = torch.arange(1, power + 1, dtype=torch.float32, device=device)
    between = 2 * steps[: num_heads - power] - 1
    return torch.cat((2 ** (-8 * steps / power), 2 ** (-4 * between / power)))
