"""Two configurations over the seeds that both have: paired t test, exact sign flips; Holm's correction (1979) of many."""

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from lmlab.report.statistics import Estimate, estimate

EXACT = 16
"""Up to so many seeds all sign flips are tried; beyond, FLIPS random ones."""

FLIPS = 20_000


@dataclass(frozen=True)
class Paired:
    """a - b by seed: its mean with the interval, and p of the two-sided paired t test."""

    differences: Sequence[float]
    estimate: Estimate
    p: float

    @property
    def difference(self) -> float:
        return self.estimate.mean


def paired(a: Mapping[int | None, float], b: Mapping[int | None, float]) -> Paired | None:
    """Compare two configurations by the seeds that both have; None where those are fewer than two."""
    common = [seed for seed in a if seed in b]
    differences = [a[seed] - b[seed] for seed in common]
    if len(differences) < 2:
        return None
    found = estimate(differences)
    return Paired(differences, found, _p(differences, found))


def _p(differences: Sequence[float], found: Estimate) -> float:
    """2 P(T > |mean| √n / sd), T Student's with n - 1 degrees.

    Equal differences, as two seeds of an accuracy easily have, would make it 0 from no spread at all: then by sign flips.
    """
    if found.sd <= 1e-9 * abs(found.mean):
        return sign_flip(differences)
    t = abs(found.mean) * math.sqrt(found.n) / found.sd
    return 2 * float(stats.t.sf(t, found.n - 1))


def sign_flip(differences: Sequence[float], *, seed: int = 0) -> float:
    """The share of sign flips whose |mean| is at least the one seen (Fisher 1935, §21): p without a normal distribution.

    With n seeds it cannot be below 2 / 2^n: 0.25 with three, 0.03 with six.
    """
    values = np.asarray(differences, dtype=float)
    if len(values) <= EXACT:
        flips = np.array(list(itertools.product((1.0, -1.0), repeat=len(values))))
    else:
        drawn = np.random.default_rng(seed).choice((1.0, -1.0), size=(FLIPS - 1, len(values)))
        flips = np.vstack([np.ones(len(values)), drawn])  # the one seen is among them, so p is never 0
    seen = abs(values.sum())
    return float(np.mean(np.abs(flips @ values) >= seen * (1 - 1e-12)))


def holm(p_values: Sequence[float]) -> list[float]:
    """Each p times the number of hypotheses not yet rejected, never below that of a smaller p (Holm 1979)."""
    adjusted, least = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=lambda index: p_values[index])):
        least = max(least, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = least
    return adjusted
