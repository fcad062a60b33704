"""A learned vector per place, added to the embedding (Gehring et al. 2017; Vaswani et al. 2017, table 3 row E)."""

from jaxtyping import Float, Int
from torch import Tensor, nn


class Learned(nn.Module):
    """A table of max_length places."""

    def __init__(self, *, dim: int, head_dim: int, num_heads: int, causal: bool, max_length: int) -> None:
        super().__init__()
        self.max_length = max_length
        self.table = nn.Embedding(max_length, dim)

    def embed(
        self, states: Float[Tensor, "batch time dim"], places: Int[Tensor, "rows time"]
    ) -> Float[Tensor, "batch time dim"]:
        added: Tensor = states + self.table(places)
        return added

    def rotation(self, places: Int[Tensor, "rows time"]) -> None:
        return None

    def bias(self, query: Int[Tensor, "rows query"], key: Int[Tensor, "rows key"]) -> None:
        return None

    def relation(self, query: Int[Tensor, "rows query"], key: Int[Tensor, "rows key"]) -> None:
        return None
