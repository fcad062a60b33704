"""Floating-point operations per token of training: 6 for each weight of a matrix product, 12 L d T for attention.

Forward is counted, two operations for each multiplication, on the products that are really made; backward costs twice
as much, so training is three times forward (Kaplan et al. 2020, section 2.1; Chowdhery et al. 2022, appendix B). An
embedding's lookup costs nothing, a tied head its product, a triangular system half a product. Attention is counted on
all T x T pairs, as is usual for figures of utilisation: a kernel that leaves out the masked half of causal attention
does 6 L d T; so are the chunks of a scan. Sums, norms and activations are left out.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

BACKWARD_AND_FORWARD = 3


def training_flops(forward: Callable[[], Any]) -> int:
    """Of one training step on what `forward` computes: model, head and inputs on the meta device, so that nothing is.

    On the meta device also fused attention and recurrent layers come apart into products that are counted; elsewhere
    they may count as nothing.
    """
    triangular = {torch.ops.aten.linalg_solve_triangular: _of_triangular_system}
    with FlopCounterMode(display=False, custom_mapping=triangular) as counter:
        forward()
    return BACKWARD_AND_FORWARD * int(counter.get_total_flops())


def _of_triangular_system(matrix: Sequence[int], right: Sequence[int], **_: Any) -> int:
    """Substitution takes n / 2 products, and as many sums, for each of the n rows of each column."""
    return math.prod(right) * matrix[-1]
