"""Scores to weights: softmax over the keys that the mask allows (Vaswani et al. 2017, 3.2.3)."""

import torch
from jaxtyping import Float
from torch import Tensor

from lmlab.types import Mask


def capped(
    scores: Float[Tensor, "batch heads query key"], logit_cap: float | None
) -> Float[Tensor, "batch heads query key"]:
    """cap * tanh(score / cap): no score is larger than the cap (Gemma Team 2024, Gemma 2, section 2)."""
    return scores if logit_cap is None else logit_cap * torch.tanh(scores / logit_cap)


def weigh(
    scores: Float[Tensor, "batch heads query key"], mask: Mask, sinks: Float[Tensor, " heads"] | None = None
) -> Float[Tensor, "batch heads query key"]:
    """Weights that sum to 1 for each query, or to 1 less the sink's; all 0 for one that may see nothing.

    What the position adds stands outside a cap. A sink is one more score, whose weight is left out.
    """
    if mask.bias is not None:
        scores = scores + mask.bias
    allowed = mask.allowed
    if mask.is_causal:
        allowed = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).tril()
    if allowed is None:
        return _softmax(scores, sinks)
    # The lowest finite number, not -inf: a row with nothing allowed would be 0 / 0.
    lowest = torch.finfo(scores.dtype).min
    return _softmax(scores.masked_fill(~allowed, lowest), sinks).masked_fill(~allowed, 0.0)


def _softmax(scores: Tensor, sinks: Tensor | None) -> Tensor:
    if sinks is None:
        return scores.softmax(-1)
    sink = sinks.to(scores.dtype)[None, :, None, None].expand(*scores.shape[:-1], 1)
    return torch.cat((scores, sink), dim=-1).softmax(-1)[..., :-1]
