"""The learning rate stays as it is after the warm-up."""

from __future__ import annotations

from lmlab.schedule.warmup import warmup, warmup_length
from lmlab.types import Horizon


class Constant:
    """warmup(step)"""

    def __init__(self, *, horizon: Horizon, warmup_steps: int | float) -> None:
        self.warmup_steps = warmup_length(warmup_steps, horizon)

    def __call__(self, step: int) -> float:
        return warmup(step, self.warmup_steps)
