"""The rate is multiplied by `factor` when the validation value has not fallen for more than `patience` validations.

With patience=0 and factor=0.25 it is the rule of word_language_model in pytorch/examples.
"""

from __future__ import annotations

from lmlab.schedule.warmup import warmup, warmup_length
from lmlab.types import Horizon, Mistake


class Plateau:
    """Warm-up, then a ratio that falls by what is observed: the one schedule with a state of its own."""

    def __init__(
        self, *, horizon: Horizon, warmup_steps: int | float, factor: float, patience: int, min_ratio: float
    ) -> None:
        if not 0 < factor < 1:
            raise Mistake(
                f"schedule.factor={factor} does not lower the learning rate; set schedule.factor between 0 and 1"
            )
        self.warmup_steps = warmup_length(warmup_steps, horizon)
        self.factor = factor
        self.patience = patience
        self.min_ratio = min_ratio
        self.ratio = 1.0
        self.best = float("inf")
        self.num_bad = 0

    def __call__(self, step: int) -> float:
        return warmup(step, self.warmup_steps) * self.ratio

    def observe(self, value: float) -> None:
        """Once after each validation: a value that should fall, or the negative of one that should rise."""
        if value < self.best:
            self.best, self.num_bad = value, 0
            return
        self.num_bad += 1
        if self.num_bad > self.patience:
            self.ratio, self.num_bad = max(self.min_ratio, self.ratio * self.factor), 0

    def state_dict(self) -> dict[str, float | int]:
        return {"ratio": self.ratio, "best": self.best, "num_bad": self.num_bad}

    def load_state_dict(self, state: dict[str, float | int]) -> None:
        self.ratio, self.best, self.num_bad = float(state["ratio"]), float(state["best"]), int(state["num_bad"])
