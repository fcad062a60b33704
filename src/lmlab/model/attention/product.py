"""softmax(cap(scale * Q K^T)) V: what all dot-product scores share, by the kernel that was chosen."""

from contextlib import nullcontext

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

from lmlab.model.attention.backend import has_slow_kernel
from lmlab.model.attention.flex import flex
from lmlab.model.attention.heads import fade, repeat
from lmlab.model.attention.varlen import varlen
from lmlab.model.attention.weigh import capped, weigh
from lmlab.types import Mask


def attend(
    backend: str,
    query: Float[Tensor, "batch heads query head_dim"],
    key: Float[Tensor, "batch kv_heads key head_dim"],
    value: Float[Tensor, "batch kv_heads key head_dim"],
    mask: Mask,
    *,
    scale: float,
    logit_cap: float | None,
    sinks: Float[Tensor, " heads"] | None,
    dropout: float,
    with_weights: bool,
) -> tuple[Float[Tensor, "batch heads query head_dim"], Float[Tensor, "batch heads query key"] | None]:
    """What a backend cannot do, `lmlab.model.attention.backend` has refused."""
    if with_weights or (backend == "plain" and (logit_cap is not None or sinks is not None)):
        attended, weights = plain(
            query, key, value, mask, scale=scale, logit_cap=logit_cap, sinks=sinks, dropout=dropout
        )
        return attended, weights if with_weights else None
    if backend == "flex":
        return flex(query, key, value, mask, scale=scale, logit_cap=logit_cap, sinks=sinks), None
    key, value = repeat(key, query.shape[1]), repeat(value, query.shape[1])
    if backend == "varlen":
        return varlen(query, key, value, mask, scale=scale), None
    if backend == "plain":
        return products(query, key, value, mask, scale=scale, dropout=dropout), None
    with nullcontext() if backend == "sdpa" else sdpa_kernel(KERNELS[backend]):
        return _torchs(query, key, value, mask, scale=scale, dropout=dropout), None


KERNELS = {
    "flash": SDPBackend.FLASH_ATTENTION,
    "efficient": SDPBackend.EFFICIENT_ATTENTION,
    "cudnn": SDPBackend.CUDNN_ATTENTION,
    "math": SDPBackend.MATH,
}
"""Torch's own, each by its name; `sdpa` leaves the choice among them to torch."""


def fused(
    query: Float[Tensor, "batch heads query head_dim"],
    key: Float[Tensor, "batch kv_heads key head_dim"],
    value: Float[Tensor, "batch kv_heads key value_dim"],
    mask: Mask,
    *,
    scale: float,
    dropout: float,
) -> Float[Tensor, "batch heads query value_dim"]:
    """Torch's kernel, or products where these are faster; it gives no weights."""
    key, value = repeat(key, query.shape[1]), repeat(value, query.shape[1])
    has_gradient = query.requires_grad and torch.is_grad_enabled()
    slow = has_slow_kernel(query.device.type, query.dtype, has_gradient=has_gradient, key=key.shape[2])
    compute = products if slow else _torchs
    return compute(query, key, value, mask, scale=scale, dropout=dropout)


def _torchs(
    query: Tensor, key: Tensor, value: Tensor, mask: Mask, *, scale: float, dropout: float
) -> Float[Tensor, "batch heads query value_dim"]:
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
    value: Float[Tensor, "batch heads key value_dim"],
    mask: Mask,
    *,
    scale: float,
    dropout: float,
) -> Float[Tensor, "batch heads query value_dim"]:
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


def plain(
    query: Float[Tensor, "batch heads query head_dim"],
    key: Float[Tensor, "batch kv_heads key head_dim"],
    value: Float[Tensor, "batch kv_heads key head_dim"],
    mask: Mask,
    *,
    scale: float,
    logit_cap: float | None = None,
    sinks: Float[Tensor, " heads"] | None = None,
    dropout: float,
) -> tuple[Float[Tensor, "batch heads query head_dim"], Float[Tensor, "batch heads query key"]]:
    """The formula, with its weights (before dropout)."""
    scores = scale * torch.einsum("bhqd,bhkd->bhqk", query, repeat(key, query.shape[1]))
    return weighted(scores, value, mask, logit_cap=logit_cap, sinks=sinks, dropout=dropout)


def weighted(
    scores: Float[Tensor, "batch heads query key"],
    value: Float[Tensor, "batch kv_heads key head_dim"],
    mask: Mask,
    *,
    logit_cap: float | None = None,
    sinks: Float[Tensor, " heads"] | None = None,
    dropout: float,
) -> tuple[Float[Tensor, "batch heads query head_dim"], Float[Tensor, "batch heads query key"]]:
    """Values by the weights of their scores, and the weights (before dropout)."""
    weights = weigh(capped(scores, logit_cap), mask, sinks)
    faded = fade(weights, dropout, training=dropout > 0).to(value.dtype)  # a bias may have made them fp32
    return torch.einsum("bhqk,bhkd->bhqd", faded, repeat(value, scores.shape[1])), weights
