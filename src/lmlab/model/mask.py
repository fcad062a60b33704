"""Documents, causality and pattern joined into one mask; nothing is built where a fused kernel needs nothing."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from lmlab.types import Mask, Memory, Packed, Relation


def places_in(document: Int[Tensor, "batch time"]) -> Int[Tensor, "batch time"]:
    """Each position's place within its document, from 0; padding before, between and after takes no place."""
    count = (document != 0).cumsum(1) - 1
    filled = carried(document)
    is_start = torch.ones_like(document, dtype=torch.bool)
    is_start[:, 1:] = filled[:, 1:] != filled[:, :-1]
    start = torch.where(is_start, count, 0).cummax(1).values
    return (count - start).clamp(min=0)


def carried(document: Int[Tensor, "batch time"]) -> Int[Tensor, "batch time"]:
    """Each position's document, where padding carries the one before it; 0 where there is none."""
    index = torch.arange(document.shape[1], device=document.device)
    return document.gather(1, torch.where(document != 0, index, 0).cummax(1).values)


def self_mask(
    *,
    causal: bool,
    query: int,
    key: int,
    device: torch.device,
    document: Int[Tensor, "batch key"] | None,
    pattern: Bool[Tensor, "rows query key"] | None,
    bias: Float[Tensor, "rows heads query key"] | None,
    relation: Relation | None = None,
) -> Mask:
    """The mask of self-attention; queries are the last of the keys. Padding sees padding, so that no row is empty."""
    if document is None and pattern is None and bias is None:
        if not causal or query == 1:
            return Mask(relation=relation)
        if query == key:
            return Mask(is_causal=True, relation=relation)
    allowed = torch.ones(1, query, key, dtype=torch.bool, device=device) if pattern is None else pattern
    if causal:
        allowed = allowed.tril(key - query)
    if document is not None:
        allowed = allowed & (document[:, key - query :, None] == document[:, None, :])
    allowed = allowed[:, None]
    if bias is not None:
        return Mask(bias=bias.masked_fill(~allowed, -torch.inf), relation=relation)
    if document is None or pattern is not None or query != key:
        return Mask(allowed=allowed, relation=relation)
    return Mask(allowed=allowed, relation=relation, packed=Packed(document, causal))


def cross_mask(document: Int[Tensor, "batch query"] | None, memory: Memory) -> Mask:
    """A query of document n sees memory of document n; with no numbers on the query, all memory that is not padding.

    Queries that are padding see everything: rows with nothing to see are left to few kernels to get right.
    """
    if memory.document is None:
        return Mask()
    seen = memory.document[:, None, None, :]
    if document is None:
        return Mask(allowed=seen != 0)
    number = document[:, None, :, None]
    return Mask(allowed=((number == seen) & (seen != 0)) | (number == 0))
