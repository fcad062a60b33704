"""A learned number per head and distance, distances in buckets that widen (T5: Raffel et al. 2020, section 2.1)."""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from lmlab.model.position.none import NoPosition
from lmlab.types import Mistake


class T5(NoPosition):
    """One table for all layers. Half of a direction's buckets are single distances, the rest grow to max_distance."""

    def __init__(
        self, *, dim: int, head_dim: int, num_heads: int, causal: bool, num_buckets: int, max_distance: int
    ) -> None:
        super().__init__(dim=dim, head_dim=head_dim, num_heads=num_heads, causal=causal)
        self.causal = causal
        self.per_direction = num_buckets if causal else num_buckets // 2
        self.num_single = self.per_direction // 2
        self.max_distance = max_distance
        if self.num_single < 1:
            raise Mistake(f"model.position.num_buckets={num_buckets} are too few; set it to 4 or more")
        if max_distance <= self.num_single:
            raise Mistake(
                f"model.position.max_distance={max_distance} is among the {self.num_single} distances with a bucket of "
                "their own; raise it"
            )
        self.table = nn.Embedding(num_buckets, num_heads)
        nn.init.normal_(self.table.weight, std=dim**-0.5)

    def bias(
        self, query: Int[Tensor, "rows query"], key: Int[Tensor, "rows key"]
    ) -> Float[Tensor, "rows heads query key"]:
        found: Tensor = self.table(self.bucket(key[:, None, :] - query[:, :, None]))
        return found.permute(0, 3, 1, 2)

    def bucket(self, distance: Int[Tensor, "*shape"]) -> Int[Tensor, "*shape"]:
        """The row of the table for key - query; an encoder has rows of its own for what is ahead."""
        ahead = 0 if self.causal else (distance > 0).long() * self.per_direction
        far = (-distance).clamp(min=0) if self.causal else distance.abs()
        widths = math.log(self.max_distance / self.num_single) / (self.per_direction - self.num_single)
        wide = (far.clamp(min=1).float() / self.num_single).log() / widths
        shared = (self.num_single + wide.long()).clamp(max=self.per_direction - 1)
        return ahead + torch.where(far < self.num_single, far, shared)
