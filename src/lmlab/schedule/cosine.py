"""min_ratio + (1 - min_ratio) (1 + cos(pi t)) / 2, t from 0 to 1 over the run (Loshchilov and Hutter 2017, eq. 5)."""

from __future__ import annotations

import math

from lmlab.schedule.warmup import progress, warmup, warmup_length
from lmlab.types import Horizon


class Cosine:
    """Warm-up, then half a cosine from 1 down to `min_ratio` at the last step; one cycle, no restarts."""

    def __init__(self, *, horizon: Horizon, warmup_steps: int | float, min_ratio: float) -> None:
        self.horizon = horizon
        self.warmup_steps = warmup_length(warmup_steps, horizon)
        self.min_ratio = min_ratio

    def __call__(self, step: int) -> float:
        if step < self.warmup_steps:
            return warmup(step, self.warmup_steps)
        fall = (1 + math.cos(math.pi * progress(step, self.warmup_steps, self.horizon))) / 2
        return self.min_ratio + (1 - self.min_ratio) * fall
