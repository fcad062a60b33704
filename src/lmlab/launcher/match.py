"""Makes the points of a sweep comparable: equal parameters, training FLOPs, tokens or seconds, all as the first point has."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from lmlab.launcher.estimate import tokens_of
from lmlab.launcher.plan import Planned, Planner
from lmlab.run import json_file
from lmlab.types import Mistake

log = logging.getLogger(__name__)

SECONDS = "seconds.json"
"""In a sweep's folder, of match=time: seconds per step by identity, so that the same command finds the same jobs again."""


@dataclass
class Matcher:
    """Plans points anew with what makes them equal to the first.

    Args:
        kind: params, flops, tokens or time.
        seconds: per step, by identity of the job before it was matched; what is measured is added.
    """

    kind: str
    planner: Planner
    seeds: Sequence[str]
    seconds: dict[str, float] = field(default_factory=dict)

    def match(self, planned: Sequence[Planned]) -> list[Planned]:
        """The same points; what is left of the difference is printed."""
        points = planned[:: max(1, len(self.seeds))]
        costs = [self._cost(one) for one in points]
        found: list[Planned] = []
        for one, cost in zip(points, costs):
            again = replace(self.planner, settings={**self.planner.settings, **self._settings(costs[0], cost, one)})
            matched = again.plan([one.point], self.seeds)
            own = cost / _steps(one) * _steps(matched[0]) if self.kind == "time" else self._cost(matched[0])
            log.info("%s %.4g (%+.2f %%)  %s", self.kind, own, 100 * (own / costs[0] - 1), one.label)
            found += matched
        return found

    def _cost(self, planned: Planned) -> float:
        """What is to be equal: of the whole training, or the number of parameters."""
        if self.kind == "tokens":
            return float(tokens_of(planned))
        if self.kind == "time":
            return self._seconds(planned) * _steps(planned)
        cost = planned.experiment.kind.cost(planned.experiment)
        if self.kind == "params":
            return float(cost.parameters)
        if cost.flops is None:
            raise Mistake("sweep.match=flops: nobody counts those of this task; choose params, tokens or time")
        return float(cost.flops * tokens_of(planned))

    def _seconds(self, planned: Planned) -> float:
        if planned.identity not in self.seconds:
            from lmlab.launcher.timing import seconds_per_step

            self.seconds[planned.identity] = seconds_per_step(planned.experiment)
        return self.seconds[planned.identity]

    def _settings(self, target: float, cost: float, planned: Planned) -> dict[str, Any]:
        if self.kind == "params":
            return {"model.params": int(target)}
        steps = max(1, round(_steps(planned) * target / cost))
        return {"trainer.max_steps": steps, "trainer.max_tokens": None, "trainer.max_epochs": None}


def measured(folder: Path) -> dict[str, float]:
    """The seconds per step that an earlier start of the sweep has measured."""
    path = folder / SECONDS
    return dict(json_file.read(path)) if path.exists() else {}


def _steps(planned: Planned) -> int:
    return int(planned.experiment.horizon.total_steps)
