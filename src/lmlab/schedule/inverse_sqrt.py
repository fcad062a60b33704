"""min(n / warmup, sqrt(warmup / n)), n = step + 1 (Vaswani et al. 2017, eq. 3, relative to its highest value).

The paper's own base rate is dim^-0.5 warmup^-0.5: 0.0007 for dim 512 and 4,000 steps of warm-up.
"""

from __future__ import annotations

import math

from lmlab.schedule.warmup import warmup, warmup_length
from lmlab.types import Horizon


class InverseSqrt:
    """Warm-up to 1, then the inverse square root of the step; it never ends."""

    def __init__(self, *, horizon: Horizon, warmup_steps: int | float) -> None:
        self.warmup_steps = max(1, warmup_length(warmup_steps, horizon))

    def __call__(self, step: int) -> float:
        if step < self.warmup_steps:
            return warmup(step, self.warmup_steps)
        return math.sqrt(self.warmup_steps / (step + 1))
