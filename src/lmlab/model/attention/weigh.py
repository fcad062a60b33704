"""Scores to weights: softmax over the keys that the mask allows (Vaswani et al. 2017, 3.2.3)."""

import torch
from jaxtyping import Float
from torch import Tensor

from lmlab.types import Mask


def weigh(scores: Float[Tensor, "batch heads query key"], mask: Mask) -> Float[Tensor, "batch heads query key"]:
    """Weights that sum to 1 for each query; all 0 for one that may see nothing, as the fused kernels have it."""
    if mask.bias is not None:
        scores = scores + mask.bias
    allowed = mask.allowed
    if mask.is_causal:
        allowed = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).tril()
    if allowed is None:
        return scores.softmax(-1)
    # The lowest finite number, not -inf: a row with nothing allowed would be 0 / 0.
    lowest = torch.finfo(scores.dtype).min
    return scores.masked_fill(~allowed, lowest).softmax(-1).masked_fill(~allowed, 0.0)
