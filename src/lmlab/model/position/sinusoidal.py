"""PE(place, 2i) = sin(place / base^(2i/dim)), PE(place, 2i+1) = cos(...), added (Vaswani et al. 2017, 3.5)."""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn


class Sinusoidal(nn.Module):
    """Fixed waves of geometrically growing length, added to the embedding."""

    max_length = None

    def __init__(self, *, dim: int, head_dim: int, num_heads: int, causal: bool, base: float) -> None:
        super().__init__()
        self.dim = dim
        self.base = base

    def embed(
        self, states: Float[Tensor, "batch time dim"], places: Int[Tensor, "rows time"]
    ) -> Float[Tensor, "batch time dim"]:
        even = torch.arange(0, self.dim, 2, dtype=torch.float32, device=places.device)
        angles = places[..., None] * self.base ** (-even / self.dim)
        waves = torch.stack((angles.sin(), angles.cos()), dim=-1).flatten(-2)  # [rows, time, dim], sin and cos in turn
        return states + waves[..., : self.dim].to(states.dtype)

    def rotation(self, places: Int[Tensor, "rows time"]) -> None:
        return None

    def bias(self, query: Int[Tensor, "rows query"], key: Int[Tensor, "rows key"]) -> None:
        return None

    def relation(self, query: Int[Tensor, "rows query"], key: Int[Tensor, "rows key"]) -> None:
        return None
