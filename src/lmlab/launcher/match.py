"""Makes the points of a sweep comparable: equal parameters, equal training FLOPs, or equal tokens, all as the first point has."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from lmlab.launcher.estimate import tokens_of
from lmlab.launcher.plan import Planned, Planner

log = logging.getLogger(__name__)


def matched(kind: str, planned: Sequence[Planned], planner: Planner, seeds: Sequence[str]) -> list[Planned]:
    """The same points, planned anew with what makes them equal; what is left of the difference is printed."""
    each = max(1, len(seeds))  # jobs of a point
    target = measure(kind, planned[0])
    found: list[Planned] = []
    for one in planned[::each]:
        again = replace(planner, settings={**planner.settings, **_settings(kind, target, one)})
        found += again.plan([one.point], seeds)
    for one in found[::each]:
        own = measure(kind, one)
        log.info("%s", f"{kind} {own:.4g} ({100 * (own / target - 1):+.2f} %)  {one.label}")
    return found


def measure(kind: str, planned: Planned) -> float:
    """What is to be equal."""
    from lmlab.command.size import cost

    if kind == "tokens":
        return float(tokens_of(planned))
    parameters, flops, _ = cost(planned.experiment)
    return float(parameters) if kind == "params" else flops * tokens_of(planned)


def _settings(kind: str, target: float, planned: Planned) -> dict[str, Any]:
    if kind == "params":
        return {"model.params": int(target)}
    steps = planned.experiment.horizon.total_steps * target / measure(kind, planned)
    return {"trainer.max_steps": max(1, round(steps)), "trainer.max_tokens": None, "trainer.max_epochs": None}
