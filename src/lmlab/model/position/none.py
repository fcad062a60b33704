"""No positions: a causal model can infer them from its mask (Haviv et al. 2022)."""

from jaxtyping import Float, Int
from torch import Tensor, nn

from lmlab.types import Relation


class NoPosition(nn.Module):
    """Leaves everything as it is; a scheme that only adds to the scores is one with a bias."""

    max_length = None

    def __init__(self, *, dim: int, head_dim: int, num_heads: int, causal: bool) -> None:
        super().__init__()

    def embed(
        self, states: Float[Tensor, "batch time dim"], places: Int[Tensor, "rows time"]
    ) -> Float[Tensor, "batch time dim"]:
        return states

    def rotation(self, places: Int[Tensor, "rows time"]) -> None:
        return None

    def bias(
        self, query: Int[Tensor, "rows query"], key: Int[Tensor, "rows key"]
    ) -> Float[Tensor, "rows heads query key"] | None:
        return None

    def relation(self, query: Int[Tensor, "rows query"], key: Int[Tensor, "rows key"]) -> Relation | None:
        return None
