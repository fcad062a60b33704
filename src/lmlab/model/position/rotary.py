"""Queries and keys turned by angles that grow with the place, so that scores see distances (Su et al. 2021, eq. 34)."""

from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from lmlab.types import Mistake, Scaling


class Rotary(nn.Module):
    """Turns the pairs (i, i + head_dim / 2) of a head by place * base^(-2i / head_dim), or as a scaling has it."""

    max_length = None

    def __init__(self, *, dim: int, head_dim: int, num_heads: int, causal: bool, base: float, scaling: Scaling) -> None:
        super().__init__()
        if head_dim % 2:
            raise Mistake(
                f"model.dim={dim} over model.attention.num_heads={num_heads} gives heads of {head_dim}, but "
                f"model/position=rotary turns pairs; set model.dim to a multiple of {2 * num_heads}"
            )
        self.head_dim = head_dim
        self.base = base
        self.scaling = scaling

    def embed(
        self, states: Float[Tensor, "batch time dim"], places: Int[Tensor, "rows time"]
    ) -> Float[Tensor, "batch time dim"]:
        return states

    def rotation(self, places: Int[Tensor, "rows time"]) -> Callable[[Tensor], Tensor]:
        # Made here and in fp32: a buffer would be rounded by model.to(bfloat16) and lost on the meta device.
        turns = self.scaling.frequencies(self.head_dim, self.base, places.device)
        angles = places[:, :, None, None] * turns  # [rows, time, 1, head_dim / 2]
        cos, sin = angles.cos().repeat(1, 1, 1, 2), torch.cat((-angles.sin(), angles.sin()), dim=-1)
        if self.scaling.attention_factor != 1.0:
            cos, sin = self.scaling.attention_factor * cos, self.scaling.attention_factor * sin

        def rotate(heads: Float[Tensor, "batch time heads head_dim"]) -> Float[Tensor, "batch time heads head_dim"]:
            # (a, b) -> (a cos - b sin, b cos + a sin) for both halves at once: half the kernels of the plain spelling
            other = heads.roll(heads.shape[-1] // 2, dims=-1)
            return torch.addcmul(heads * cos, other.to(cos.dtype), sin).to(heads.dtype)

        return rotate

    def bias(self, query: Int[Tensor, "rows query"], key: Int[Tensor, "rows key"]) -> None:
        return None

    def relation(self, query: Int[Tensor, "rows query"], key: Int[Tensor, "rows key"]) -> None:
        return None
