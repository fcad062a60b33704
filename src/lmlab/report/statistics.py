"""Mean and 95 % interval over seeds, by Student's t (1908) and by BCa bootstrap (Efron 1987), and the seeds to come."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

ALPHA = 0.05

FAR = 500.0
"""Beyond this shift of the noncentral t, scipy runs out of digits; its power is 1 by then."""


@dataclass(frozen=True)
class Estimate:
    """A mean with its interval; sd (over n - 1), low and high are NaN where there is one value only."""

    mean: float
    sd: float
    n: int
    low: float
    high: float

    @property
    def half_width(self) -> float:
        return (self.high - self.low) / 2


def estimate(values: Sequence[float], *, confidence: float = 1 - ALPHA) -> Estimate:
    """mean ± t((1 + confidence) / 2; n - 1) · sd / √n."""
    n = len(values)
    assert n > 0, "an estimate needs a value"
    mean = float(np.mean(values))
    if n == 1:
        return Estimate(mean, math.nan, 1, math.nan, math.nan)
    sd = float(np.std(values, ddof=1))
    half = float(stats.t.ppf((1 + confidence) / 2, n - 1)) * sd / math.sqrt(n)
    return Estimate(mean, sd, n, mean - half, mean + half)


def bootstrap(
    values: Sequence[float], *, confidence: float = 1 - ALPHA, resamples: int = 9_999, seed: int = 0
) -> tuple[float, float]:
    """The bias-corrected and accelerated interval of the mean; the same numbers each time. Too narrow below about 10 values."""
    if len(values) < 2:
        return math.nan, math.nan
    if min(values) == max(values):
        return float(values[0]), float(values[0])
    found = stats.bootstrap(
        (np.asarray(values, dtype=float),),
        np.mean,
        n_resamples=resamples,
        confidence_level=confidence,
        method="BCa",
        rng=np.random.default_rng(seed),
    ).confidence_interval
    return float(found.low), float(found.high)


def seeds_needed(
    differences: Sequence[float], *, power: float = 0.8, alpha: float = ALPHA, most: int = 1_000
) -> int | None:
    """The least n at which a two-sided paired t test finds a difference such as this with this power.

    With δ = √n · |mean| / sd of the differences and t* = t(1 - α/2; n - 1), it is the least n with P(|T| > t*) >= power,
    T noncentral t(n - 1, δ) (Cohen 1988, ch. 2). mean and sd are themselves estimates from few seeds: read it as a size.
    None: no difference was seen, there are fewer than two, or it would take more than `most`.
    """
    if len(differences) < 2 or not np.mean(differences):
        return None
    sd = float(np.std(differences, ddof=1))
    if sd == 0:
        return 2
    effect = abs(float(np.mean(differences))) / sd
    if _power(most, effect, alpha) < power:
        return None
    low, high = 1, most  # power grows with n: low is too few, high is enough
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if _power(middle, effect, alpha) >= power else (middle, high)
    return high


def _power(n: int, effect: float, alpha: float) -> float:
    critical = float(stats.t.ppf(1 - alpha / 2, n - 1))
    shift = min(math.sqrt(n) * effect, FAR)
    upper = float(stats.nct.sf(critical, n - 1, shift))
    return upper + (float(stats.nct.cdf(-critical, n - 1, shift)) if shift < 5 else 0.0)  # beyond, scipy's is 0 or NaN
