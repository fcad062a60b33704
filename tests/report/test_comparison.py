"""Tests over seeds are scipy's; Holm's correction is never weaker than none and never stronger than Bonferroni."""

import numpy as np
import pytest
from scipy import stats

from lmlab.report.comparison import holm, paired, sign_flip

A = {1: 1.2, 2: 1.5, 3: 1.1, 4: 1.9, 5: 1.3}
B = {1: 1.4, 2: 1.6, 3: 1.0, 4: 2.4, 5: 1.7}


def test_the_paired_t_test_is_scipys():
    found, expected = paired(A, B), stats.ttest_rel(list(A.values()), list(B.values()))
    assert found.p == pytest.approx(expected.pvalue, rel=1e-12)
    ends = expected.confidence_interval(0.95)
    assert (found.estimate.low, found.estimate.high) == pytest.approx((ends.low, ends.high), rel=1e-9)


def test_only_seeds_that_both_have_are_compared():
    assert paired(A, {3: 1.0, 1: 1.0, 9: 5.0}).differences == pytest.approx([0.2, 0.1])
    assert paired(A, {1: 1.0}) is None
    assert paired(A, {}) is None


def test_equal_values_are_no_difference_and_equal_differences_no_certainty():
    assert paired(A, A).p == 1.0
    assert paired({1: 1.0, 2: 2.0}, {1: 2.0, 2: 3.0}).p == 0.5
    assert paired({1: 0.3, 2: 0.2}, {1: 0.2, 2: 0.1}).p == 0.5  # equal but for rounding
    assert paired(dict.fromkeys(range(6), 1.0), dict.fromkeys(range(6), 2.0)).p == 2 / 64


def test_sign_flips_by_hand():
    assert sign_flip([1.0, 2.0, 3.0]) == 0.25  # 2 of 8: all plus, all minus
    assert sign_flip([1.0, -1.0]) == 1.0
    assert sign_flip([3.0, 1.0, -1.0]) == 0.75  # |±3 ±1 ±1| >= 3: 6 of 8


def test_sign_flips_are_scipys_permutation_test():
    differences = [A[seed] - B[seed] for seed in A]
    expected = stats.permutation_test((differences,), np.mean, permutation_type="samples", n_resamples=np.inf)
    assert sign_flip(differences) == pytest.approx(expected.pvalue)


def test_many_seeds_are_flipped_at_random_the_same_way_each_time():
    differences = np.random.default_rng(0).normal(0.4, 1.0, size=30).tolist()
    assert sign_flip(differences) == sign_flip(differences)
    assert sign_flip(differences) == pytest.approx(stats.ttest_1samp(differences, 0).pvalue, abs=0.02)
    assert sign_flip([1.0] * 30) > 0


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == []
    assert holm([0.6, 0.9]) == [1.0, 1.0]


def test_holm_keeps_the_order_and_lies_between_nothing_and_bonferroni():
    rng = np.random.default_rng(0)
    for size in range(1, 12):
        raw = rng.uniform(0, 0.2, size=size)
        adjusted = np.array(holm(raw.tolist()))
        assert (np.diff(adjusted[np.argsort(raw)]) >= 0).all()
        assert (raw <= adjusted).all()
        assert (adjusted <= np.minimum(1.0, raw * size) + 1e-15).all()


def test_a_difference_that_is_not_there_is_found_in_5_of_100_cases():
    values = np.random.default_rng(3).normal(size=(2_000, 2, 4))
    found = [paired(dict(enumerate(a)), dict(enumerate(b))).p < 0.05 for a, b in values]
    assert np.mean(found) == pytest.approx(0.05, abs=0.015)
