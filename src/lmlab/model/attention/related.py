"""softmax(scale * Q (K + A)^T) (V + B), with vectors A and B for each pair of places (Shaw et al. 2018, eq. 3 and 4)."""

import torch
from jaxtyping import Float
from torch import Tensor

from lmlab.model.attention.heads import fade, repeat
from lmlab.model.attention.weigh import capped, weigh
from lmlab.types import Mask, Relation


def related(
    query: Float[Tensor, "batch heads query head_dim"],
    key: Float[Tensor, "batch kv_heads key head_dim"],
    value: Float[Tensor, "batch kv_heads key head_dim"],
    mask: Mask,
    relation: Relation,
    *,
    scale: float,
    logit_cap: float | None,
    sinks: Float[Tensor, " heads"] | None,
    dropout: float,
) -> tuple[Float[Tensor, "batch heads query head_dim"], Float[Tensor, "batch heads query key"]]:
    """The formula, with its weights (before dropout): no fused kernel takes what depends on the query."""
    scores = torch.einsum("bhqd,bhkd->bhqk", query, repeat(key, query.shape[1])) + relation.scores(query)
    weights = weigh(capped(scale * scores, logit_cap), mask, sinks)
    faded = fade(weights, dropout, training=dropout > 0).to(value.dtype)
    attended = torch.einsum("bhqk,bhkd->bhqd", faded, repeat(value, query.shape[1]))
    added = relation.values(faded)
    return attended if added is None else attended + added, weights
