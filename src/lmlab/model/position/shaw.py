"""Learned vectors a of distances, added to keys and to values (Shaw et al. 2018, eq. 3 and 4):

    e_ij = x_i W^Q (x_j W^K + a^K_ij)^T / sqrt(head_dim),    z_i = sum_j softmax(e)_ij (x_j W^V + a^V_ij)

where a_ij is row clip(j - i, -max_distance, max_distance) of a table. It is one for all heads (3.3) and here for all layers,
of which each had its own in the paper.
"""

from jaxtyping import Float, Int
from torch import Tensor, nn

from lmlab.model.position.none import NoPosition
from lmlab.types import Mistake


class Shaw(NoPosition):
    """A causal model has no rows for what is ahead."""

    def __init__(
        self, *, dim: int, head_dim: int, num_heads: int, causal: bool, max_distance: int, on_values: bool
    ) -> None:
        super().__init__(dim=dim, head_dim=head_dim, num_heads=num_heads, causal=causal)
        if max_distance < 1:
            raise Mistake(f"model.position.max_distance={max_distance} tells no places apart; set it to 1 or more")
        self.max_distance = max_distance
        self.furthest_ahead = 0 if causal else max_distance
        rows = max_distance + 1 + self.furthest_ahead
        self.key = nn.Embedding(rows, head_dim)
        self.value = nn.Embedding(rows, head_dim) if on_values else None
        for table in (self.key, self.value):
            if table is not None:
                nn.init.normal_(table.weight, std=head_dim**-0.5)

    def relation(self, query: Int[Tensor, "rows query"], key: Int[Tensor, "rows key"]) -> "ByDistance":
        distance = key[:, None, :] - query[:, :, None]
        row = distance.clamp(-self.max_distance, self.furthest_ahead) + self.max_distance
        return ByDistance(row, self.key.weight, None if self.value is None else self.value.weight)


class ByDistance:
    """The two sums with a row for each pair; each query meets every row of a table once (3.3)."""

    def __init__(
        self,
        row: Int[Tensor, "rows query key"],
        keys: Float[Tensor, "distances head_dim"],
        values: Float[Tensor, "distances head_dim"] | None,
    ) -> None:
        self.row = row[:, None]
        self.of_keys = keys
        self.of_values = values

    def scores(self, queries: Float[Tensor, "batch heads query head_dim"]) -> Float[Tensor, "batch heads query key"]:
        """x_i W^Q (a^K_ij)^T."""
        by_row = queries @ self.of_keys.to(queries.dtype).T
        batch, heads = queries.shape[:2]
        return by_row.gather(3, self.row.expand(batch, heads, -1, -1))

    def values(
        self, weights: Float[Tensor, "batch heads query key"]
    ) -> Float[Tensor, "batch heads query head_dim"] | None:
        """sum_j weights_ij a^V_ij."""
        if self.of_values is None:
            return None
        batch, heads, query, _ = weights.shape
        by_row = weights.new_zeros(batch, heads, query, self.of_values.shape[0])
        by_row = by_row.scatter_add(3, self.row.expand(batch, heads, -1, -1), weights)
        return by_row @ self.of_values.to(weights.dtype)
