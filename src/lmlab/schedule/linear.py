"""A straight line from 1 to min_ratio over the run (Devlin et al. 2019, appendix A.2)."""

from __future__ import annotations

from lmlab.schedule.warmup import progress, warmup, warmup_length
from lmlab.types import Horizon


class Linear:
    """Warm-up, then straight down to `min_ratio` at the last step."""

    def __init__(self, *, horizon: Horizon, warmup_steps: int | float, min_ratio: float) -> None:
        self.horizon = horizon
        self.warmup_steps = warmup_length(warmup_steps, horizon)
        self.min_ratio = min_ratio

    def __call__(self, step: int) -> float:
        if step < self.warmup_steps:
            return warmup(step, self.warmup_steps)
        return 1 - (1 - self.min_ratio) * progress(step, self.warmup_steps, self.horizon)
