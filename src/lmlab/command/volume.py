"""How many tokens a step really holds: of running text as many as its windows, of examples what their lengths add up to."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from lmlab.batch.packs import Packs

STEPS = 400
"""Of whose batches the mean is taken; the examples of an epoch stand in a random order."""


@dataclass(frozen=True)
class Volume:
    """Means over steps; of recordings, tokens are frames."""

    tokens: float
    """Without padding."""
    rows: float
    padding: float
    """Share of all places that the batches have."""
    examples: int | None
    """Of an epoch; None: running text."""


def volume(experiment: Any) -> Volume:
    """Of an experiment's training batches, none of which is made."""
    batching: Any = experiment.batching
    data: Any = batching.train(experiment.arrays.train)
    plan = getattr(data, "plan", None)
    if plan is None:
        return Volume(float(batching.size * batching.seq_len), float(batching.size), 0.0, None)
    lengths = data.length[data.kept] if hasattr(data, "kept") else data.length
    steps = min(STEPS, len(plan), experiment.horizon.total_steps)
    found = [_rows(plan, step, lengths) for step in range(steps)]
    tokens = float(sum(one.sum() for one in found))
    places = float(sum(len(one) * one.max() for one in found))
    return Volume(tokens / steps, sum(map(len, found)) / steps, 1 - tokens / places, len(lengths))


def _rows(plan: Any, step: int, lengths: Any) -> Any:
    """Tokens of each row of a step."""
    return np.array([lengths[row].sum() for row in plan[step]]) if isinstance(plan, Packs) else lengths[plan[step]]
