"""Scores lowered by slope * log(1 + distance): the logarithmic kernel of Chi et al. 2022 (KERPLE), with a fixed slope."""

from jaxtyping import Float, Int
from torch import Tensor, nn


class LogDistance(nn.Module):
    """A penalty that grows slowly with distance, alike for every head."""

    max_length = None  # any number of places

    def __init__(self, *, dim: int, head_dim: int, num_heads: int, causal: bool, slope: float) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.slope = slope

    def embed(
        self, states: Float[Tensor, "batch time dim"], places: Int[Tensor, "rows time"]
    ) -> Float[Tensor, "batch time dim"]:
        return states  # nothing is added to the embedding

    def rotation(self, places: Int[Tensor, "rows time"]) -> None:
        return None  # queries and keys stay as they are

    def bias(
        self, query: Int[Tensor, "rows query"], key: Int[Tensor, "rows key"]
    ) -> Float[Tensor, "rows heads query key"]:
        distance = (query[:, None, :, None] - key[:, None, None, :]).abs()
        return (-self.slope * distance.float().log1p()).expand(-1, self.num_heads, -1, -1)

    def relation(self, query: Int[Tensor, "rows query"], key: Int[Tensor, "rows key"]) -> None:
        return None
