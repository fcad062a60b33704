"""How much a step forgets, said by the input: exp(-exp(a) softplus(s + b)) (Gu and Dao 2023, eq. 4 and section 3.6)."""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from lmlab.types import Course

RATE = (1.0, 16.0)
"""Bounds between which exp(a) is drawn at the start (Dao and Gu 2024)."""

STEP = (1e-3, 1e-1)
"""Bounds between which the step is drawn at the start, even in its logarithm (Gu and Dao 2023)."""


class Decay(nn.Module):
    """One step and one decay for each head; computed in float32 or better, whatever autocast says."""

    def __init__(self, *, num_heads: int) -> None:
        super().__init__()
        low, high = (math.log(bound) for bound in STEP)
        step = torch.empty(num_heads).uniform_(low, high).exp()
        self.log_rate = nn.Parameter(torch.empty(num_heads).uniform_(*RATE).log())
        self.bias = nn.Parameter(step + torch.log(-torch.expm1(-step)))  # softplus of it is the step

    def forward(
        self, raw: Float[Tensor, "batch time heads"], course: Course | None
    ) -> tuple[Float[Tensor, "batch time heads"], Float[Tensor, "batch time heads"]]:
        """The step and the logarithm of the decay; both 0 at padding, which so changes no state."""
        dtype = torch.promote_types(raw.dtype, torch.float32)
        step = F.softplus(raw.to(dtype) + self.bias.to(dtype))
        if course is not None:
            step = step.masked_fill(~course.is_real[..., None], 0.0)
        return step, -self.log_rate.to(dtype).exp() * step
