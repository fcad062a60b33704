"""softmax(scale * Q K^T) V: what all dot-product scores share, fused where the weights are not asked for."""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from lmlab.model.attention.heads import fade, repeat
from lmlab.model.attention.weigh import weigh
from lmlab.types import Mask


def fused(
    query: Float[Tensor, "batch heads query head_dim"],
    key: Float[Tensor, "batch kv_heads key head_dim"],
    value: Float[Tensor, "batch kv_heads key head_dim"],
    mask: Mask,
    *,
    scale: float,
    dropout: float,
) -> Float[Tensor, "batch heads query head_dim"]:
    """Torch's kernel; it gives no weights."""
    allowed = mask.allowed if mask.bias is None else mask.bias.to(query.dtype)
    return F.scaled_dot_product_attention(
        query,
        repeat(key, query.shape[1]),
        repeat(value, query.shape[1]),
        attn_mask=allowed,
        dropout_p=dropout,
        is_causal=mask.is_causal,
        scale=scale,
    )


def plain(
    query: Float[Tensor, "batch heads query head_dim"],
    key: Float[Tensor, "batch kv_heads key head_dim"],
    value: Float[Tensor, "batch kv_heads key head_dim"],
    mask: Mask,
    *,
    scale: float,
    dropout: float,
) -> tuple[Float[Tensor, "batch heads query head_dim"], Float[Tensor, "batch heads query key"]]:
    """The formula, with its weights (before dropout)."""
    scores = scale * torch.einsum("bhqd,bhkd->bhqk", query, repeat(key, query.shape[1]))
    weights = weigh(scores, mask)
    faded = fade(weights, dropout, training=dropout > 0).to(value.dtype)  # a bias may have made them fp32
    return torch.einsum("bhqk,bhkd->bhqd", faded, repeat(value, query.shape[1])), weights
