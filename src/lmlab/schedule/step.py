"""gamma^k, k counting `every` epochs that have begun after the first `after` (Zaremba et al. 2014, section 4.1)."""

from __future__ import annotations

from lmlab.schedule.warmup import warmup, warmup_length
from lmlab.types import Horizon, Mistake


class Step:
    """Full rate for `after` epochs, then `gamma` times as much with each `every`: after=4, every=1 lowers epoch 5."""

    def __init__(self, *, horizon: Horizon, warmup_steps: int | float, gamma: float, after: int, every: int) -> None:
        if every < 1:
            raise Mistake(f"schedule.every={every} is no number of epochs; set schedule.every to 1 or more")
        self.steps_per_epoch = horizon.steps_per_epoch
        self.warmup_steps = warmup_length(warmup_steps, horizon)
        self.gamma = gamma
        self.after = after
        self.every = every

    def __call__(self, step: int) -> float:
        epoch = step // self.steps_per_epoch
        falls = max(0, (epoch - self.after) // self.every + 1)
        return warmup(step, self.warmup_steps) * self.gamma**falls
