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
    """Torch's kernel, or products where these are faster; it gives no weights."""
    key, value = repeat(key, query.shape[1]), repeat(value, query.shape[1])
    if _has_slow_kernel(query, key):
        return products(query, key, value, mask, scale=scale, dropout=dropout)
    allowed = mask.allowed if mask.bias is None else mask.bias.to(query.dtype)
    return F.scaled_dot_product_attention(
        query,
        key,
        value,
        attn_mask=allowed,
        dropout_p=dropout,
        is_causal=mask.is_causal,
        scale=scale,
    )


def products(
    query: Float[Tensor, "batch heads query head_dim"],
    key: Float[Tensor, "batch heads key head_dim"],
    value: Float[Tensor, "batch heads key head_dim"],
    mask: Mask,
    *,
    scale: float,
    dropout: float,
) -> Float[Tensor, "batch heads query head_dim"]:
    """Two batched matrix products around a softmax, all in the inputs' type."""
    batch, heads, time, _ = query.shape
    shape = (batch, heads, time, key.shape[2])
    if mask.bias is None and mask.allowed is None and not mask.is_causal:
        scores = scale * query.flatten(0, 1) @ key.flatten(0, 1).mT
    else:
        added = _added(mask, query, key).to(query.dtype).expand(shape).flatten(0, 1)
        scores = torch.baddbmm(added, query.flatten(0, 1), key.flatten(0, 1).mT, alpha=scale)
    weights = scores.softmax(-1)
    if mask.allowed is not None:  # a query that may see nothing
        weights = weights.view(shape).masked_fill(~mask.allowed, 0.0).flatten(0, 1)
    weights = fade(weights, dropout, training=dropout > 0)
    return torch.bmm(weights, value.flatten(0, 1)).view(batch, heads, time, value.shape[3])


def _added(mask: Mask, query: Tensor, key: Tensor) -> Tensor:
    """What the mask adds to scores, [batch or 1, heads or 1, query, key]."""
    if mask.bias is not None:
        return mask.bias
    lowest = torch.finfo(query.dtype).min  # not -inf: a row with nothing allowed would be 0 / 0
    square = torch.full((query.shape[2], key.shape[2]), lowest, dtype=query.dtype, device=query.device)
    return square.triu(1)[None, None] if mask.allowed is None else square.masked_fill(mask.allowed, 0.0)


LONGEST = 512
"""Keys up to which products were measured to be faster; their memory grows with the square of the length."""


def _has_slow_kernel(query: Tensor, key: Tensor) -> bool:
    """A CPU's fused gradient takes two to four times as long in bfloat16 as the products do; its forward does not."""
    is_cpu = query.device.type == "cpu" and query.requires_grad and torch.is_grad_enabled()
    return is_cpu and query.dtype == torch.bfloat16 and key.shape[2] <= LONGEST


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
    return weighted(scores, value, mask, dropout=dropout)


def weighted(
    scores: Float[Tensor, "batch heads query key"],
    value: Float[Tensor, "batch kv_heads key head_dim"],
    mask: Mask,
    *,
    dropout: float,
) -> tuple[Float[Tensor, "batch heads query head_dim"], Float[Tensor, "batch heads query key"]]:
    """Values by the weights of their scores, and the weights (before dropout)."""
    weights = weigh(scores, mask)
    faded = fade(weights, dropout, training=dropout > 0).to(value.dtype)  # a bias may have made them fp32
    return torch.einsum("bhqk,bhkd->bhqd", faded, repeat(value, scores.shape[1])), weights
