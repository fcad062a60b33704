"""Intervals are scipy's, cover what they promise, and the seeds to come are those of published power tables."""

import math

import numpy as np
import pytest
from scipy import stats

from lmlab.report.statistics import bootstrap, estimate, seeds_needed

VALUES = [1.2, 1.5, 1.1, 1.9, 1.3]


def test_three_values_by_hand():
    found = estimate([1.0, 2.0, 3.0])
    assert (found.mean, found.sd, found.n) == (2.0, 1.0, 3)
    assert found.half_width == pytest.approx(4.302653 / math.sqrt(3), rel=1e-6)  # t(0.975; 2) of every table


def test_the_t_interval_is_scipys():
    found = estimate(VALUES)
    expected = stats.t.interval(0.95, len(VALUES) - 1, loc=np.mean(VALUES), scale=stats.sem(VALUES))
    assert (found.low, found.high) == pytest.approx(expected, rel=1e-12)


def test_one_value_has_no_interval():
    found = estimate([1.5])
    assert (found.mean, found.n) == (1.5, 1)
    assert math.isnan(found.sd)
    assert math.isnan(found.half_width)
    assert all(map(math.isnan, bootstrap([1.5])))


def test_the_bootstrap_agrees_with_scipy_under_another_seed_and_with_itself_to_the_bit():
    values = np.random.default_rng(0).gamma(2.0, size=30).tolist()
    found = bootstrap(values)
    expected = stats.bootstrap((values,), np.mean, method="BCa", n_resamples=20_000, rng=np.random.default_rng(5))
    assert found == bootstrap(values)
    assert found == pytest.approx(tuple(expected.confidence_interval), abs=0.03)
    assert bootstrap([2.0, 2.0, 2.0]) == (2.0, 2.0)


def test_the_t_interval_covers_the_true_mean_in_95_of_100_samples():
    samples = np.random.default_rng(1).normal(3.0, 2.0, size=(2_000, 4))
    covered = np.mean([one.low <= 3.0 <= one.high for one in map(estimate, samples.tolist())])
    assert covered == pytest.approx(0.95, abs=0.015)  # three standard errors


@pytest.mark.parametrize(("effect", "expected"), [(0.2, 199), (0.5, 34), (0.8, 15), (1.0, 10)])
def test_the_seeds_needed_are_those_of_the_power_tables(effect, expected):
    base = np.array([-1.0, 1.0] * 5)
    differences = base / base.std(ddof=1) + effect
    assert seeds_needed(differences.tolist()) == expected  # G*Power, paired t, two-sided, 0.05, 0.8


def test_the_power_reached_with_the_seeds_needed_is_as_promised():
    n = seeds_needed([0.1, 1.9, 0.4, 1.6])
    effect = np.mean([0.1, 1.9, 0.4, 1.6]) / np.std([0.1, 1.9, 0.4, 1.6], ddof=1)
    samples = np.random.default_rng(2).normal(effect, 1.0, size=(4_000, n))
    assert np.mean(stats.ttest_1samp(samples, 0.0, axis=1).pvalue < 0.05) >= 0.78
    assert np.mean(stats.ttest_1samp(samples[:, :-1], 0.0, axis=1).pvalue < 0.05) < 0.82


@pytest.mark.parametrize(
    ("differences", "expected"), [([], None), ([1.0], None), ([0.0, 0.0], None), ([1.0, -1.0], None), ([2.0, 2.0], 2)]
)
def test_where_nothing_can_be_said_of_the_seeds_needed(differences, expected):
    assert seeds_needed(differences) == expected


def test_a_huge_effect_needs_few_seeds_and_a_tiny_one_too_many():
    assert seeds_needed([1.0, 1.0 + 1e-9, 1.0 - 1e-9]) == 2
    assert seeds_needed([1.0, -1.0, 1.001, -1.0]) is None
