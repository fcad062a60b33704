"""How much of a figure's ranking each key decides: η²_H of Kruskal & Wallis (1952), as in Tomczak & Tomczak (2014).

For a key that splits n jobs into k groups, η²_H = (H - k + 1) / (n - k), at least 0: the share of the variance of the
jobs' ranks that lies between the groups, less what chance would give. By ranks, since one diverged run would otherwise be
all of the variance; a value that is not finite ranks as the worst. Main effects only: two keys that matter only together
can both be near 0. Numbers with many values (a random search) are cut into quantiles first.
"""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from scipy import stats

from lmlab.report.job import Job, written

BINS = 4
"""Groups that a number with more than MOST different values is cut into."""

MOST = 6

SEED = "seed"


def importance(jobs: Sequence[Job], *, metric: str, keys: Sequence[str], direction: str) -> dict[str, float]:
    """The share of each key, the largest first; the seed's is the yardstick for what is only noise.

    Keys that do not vary among the done jobs are left out, and all are where there are too few jobs to tell.
    """
    done = [job for job in jobs if job.state == "done" and metric in job.figures]
    worst = math.inf if direction == "minimize" else -math.inf
    values = [float(job.figures[metric]) for job in done]
    values = [value if math.isfinite(value) else worst for value in values]
    columns = {key: _groups([job.varied.get(key) for job in done]) for key in keys}
    if len({job.seed for job in done}) > 1:
        columns[SEED] = [str(job.seed) for job in done]
    found = {key: share(values, column) for key, column in columns.items()}
    known = {key: value for key, value in found.items() if value is not None}
    return dict(sorted(known.items(), key=lambda item: (-item[1], item[0])))


def share(values: Sequence[float], groups: Sequence[str]) -> float | None:
    """η²_H of one key; None with one group, or no more values than groups."""
    n, k = len(values), len(set(groups))
    if k < 2 or n <= k:
        return None
    if len(set(values)) == 1:
        return 0.0
    ranks = stats.rankdata(values)
    by_group: Mapping[str, list[float]] = {group: [] for group in groups}
    for group, rank in zip(groups, ranks):
        by_group[group].append(float(rank))
    between = sum(len(own) * (float(np.mean(own)) - (n + 1) / 2) ** 2 for own in by_group.values())
    h = (n - 1) * between / float(np.sum((ranks - (n + 1) / 2) ** 2))  # with the correction for ties
    return min(1.0, max(0.0, (h - k + 1) / (n - k)))


def _groups(values: Sequence[object]) -> list[str]:
    numbers = [float(v) for v in values if isinstance(v, (int, float)) and not isinstance(v, bool)]
    if len(numbers) < len(values) or len(set(numbers)) <= MOST:
        return [written(value) for value in values]
    cuts = np.quantile(numbers, np.linspace(0, 1, BINS + 1)[1:-1])
    return [str(group) for group in np.searchsorted(cuts, numbers)]
