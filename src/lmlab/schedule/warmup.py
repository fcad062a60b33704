"""Linear warm-up of the learning rate over the first steps (Goyal et al. 2017, section 2.2), for every schedule."""

from __future__ import annotations

from lmlab.types import Horizon, Mistake


def warmup_length(warmup_steps: int | float, horizon: Horizon) -> int:
    """Warm-up in steps: a whole number as it is, a fraction below 1 as that part of the run."""
    length = round(warmup_steps * horizon.total_steps) if 0 < warmup_steps < 1 else int(warmup_steps)
    if length < 0 or (length != warmup_steps and warmup_steps >= 1):
        raise Mistake(
            f"schedule.warmup_steps={warmup_steps} is neither a number of steps nor a part of the run; "
            "set schedule.warmup_steps to a whole number or to a fraction below 1"
        )
    if length > horizon.total_steps:
        raise Mistake(
            f"schedule.warmup_steps={length} is longer than the run of {horizon.total_steps} steps, so the full rate "
            "would never be reached; set schedule.warmup_steps lower (below 1 it is a fraction of the run) "
            "or trainer.max_steps higher"
        )
    return length


def warmup(step: int, length: int) -> float:
    """1/length at step 0, 2/length at step 1, ... and 1 from step length - 1 on."""
    return min(1.0, (step + 1) / length) if length > 0 else 1.0


def progress(step: int, length: int, horizon: Horizon) -> float:
    """How much of the time after the warm-up is over at this step: 0 at its end, 1 at the last step and beyond."""
    remaining = max(1, horizon.total_steps - 1 - length)
    return min(1.0, max(0.0, (step - length) / remaining))
