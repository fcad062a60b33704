"""Tests over examples are those of sacrebleu, but for what the module's head names."""

import numpy as np
import pytest
from sacrebleu.metrics import BLEU, CHRF
from sacrebleu.significance import PairedTest
from scipy import stats

from lmlab.report.corpus_comparison import accuracy, approximate_randomisation, bleu, chrf, f1, paired_bootstrap

WORDS = ["the", "a", "cat", "dog", "sat", "ran", "on", "under", "mat", "tree", "and", "saw", "big", "small", "red"]


@pytest.fixture(scope="module")
def corpus():
    """References, and two systems that get a word wrong now and then, the second a little more often."""
    rng = np.random.default_rng(0)
    references = [" ".join(rng.choice(WORDS, size=rng.integers(6, 14))) for _ in range(80)]

    def spoilt(rate):
        return [
            " ".join(str(rng.choice(WORDS)) if rng.random() < rate else word for word in line.split())
            for line in references
        ]

    return references, spoilt(0.12), spoilt(0.16)


@pytest.fixture(scope="module")
def statistics(corpus):
    references, first, second = corpus
    metric = BLEU(references=[references])
    return [np.array(metric._extract_corpus_statistics(one, None), dtype=float) for one in (first, second)]


def _sacrebleu(corpus, kind, samples):
    references, first, second = corpus
    metric = {"BLEU": BLEU(references=[references])}
    _, results = PairedTest([("a", first), ("b", second)], metric, None, test_type=kind, n_samples=samples)()
    (base, other) = results["BLEU"]
    return base.score, other.score, other.p_value


@pytest.fixture(autouse=True)
def _seed(monkeypatch):
    monkeypatch.setenv("SACREBLEU_SEED", "12345")


def test_bleu_is_sacrebleus(corpus, statistics):
    references, first, _ = corpus
    expected = BLEU().corpus_score(first, [references]).score
    assert bleu(statistics[0].sum(axis=0, keepdims=True))[0] == pytest.approx(expected, rel=1e-9)
    short = np.array([[4.0, 9.0, 3, 2, 1, 0, 4, 3, 2, 1], [0.0, 9.0, *[0] * 8]])
    smoothed = BLEU.compute_bleu([3, 2, 1, 0], [4, 3, 2, 1], 4, 9, smooth_method="exp").score
    assert bleu(short).tolist() == pytest.approx([smoothed, 0.0])


def test_approximate_randomisation_is_sacrebleus_draw_for_draw(corpus, statistics):
    a, b, p = _sacrebleu(corpus, "ar", 500)
    found = approximate_randomisation(*statistics, score=bleu, samples=500)
    assert (found.a, found.b) == pytest.approx((a, b))
    assert found.p == pytest.approx(p, abs=2 / 501)
    assert 0.001 < p < 0.9


def test_the_paired_bootstrap_counts_both_tails_where_sacrebleu_counts_one(corpus, statistics):
    a, b, p = _sacrebleu(corpus, "bs", 1_000)
    found = paired_bootstrap(*statistics, score=bleu, samples=10_000)
    assert (found.a, found.b) == pytest.approx((a, b))
    error = 3 * np.sqrt(p * (1 - p) / 1_000)
    assert found.p / 2 == pytest.approx(p, abs=error + 0.005)
    assert found.low < found.a - found.b < found.high


def test_the_sign_of_the_difference_is_a_minus_b(statistics):
    better, worse = statistics
    assert (
        paired_bootstrap(better, worse, score=bleu, samples=200).low
        > -paired_bootstrap(worse, better, score=bleu, samples=200).high - 5.0
    )
    assert approximate_randomisation(better, worse, score=bleu, samples=200).a > bleu(worse.sum(0, keepdims=True))[0]


def test_randomising_accuracy_is_the_exact_sign_test_of_the_examples_that_differ():
    ones = np.ones(40)
    first = np.array([1.0] * 30 + [0.0] * 10)
    second = np.array([1.0] * 20 + [0.0] * 10 + [1.0] * 3 + [0.0] * 7)  # 10 only right by the first, 3 by the second
    found = approximate_randomisation(
        np.stack([first, ones], axis=1), np.stack([second, ones], axis=1), score=accuracy, samples=20_000
    )
    assert (found.a, found.b) == (0.75, 23 / 40)
    assert found.p == pytest.approx(stats.binomtest(10, 13).pvalue, abs=0.01)


def test_one_example_that_differs_proves_nothing():
    a, b = np.ones((20, 2)), np.ones((20, 2))
    b[0, 0] = 0.0
    assert approximate_randomisation(a, b, score=accuracy, samples=500).p == 1.0


def test_equal_systems_do_not_differ(statistics):
    assert approximate_randomisation(statistics[0], statistics[0], score=bleu, samples=100).p == 1.0
    assert paired_bootstrap(statistics[0], statistics[0], score=bleu, samples=100).p == 1.0


def test_f1_and_accuracy_by_hand():
    assert f1(np.array([[6.0, 2.0, 4.0], [0.0, 0.0, 0.0]])).tolist() == pytest.approx([12 / 18, 0.0])
    assert accuracy(np.array([[3.0, 4.0]])).tolist() == [0.75]


def test_portions_change_nothing_but_memory(statistics, monkeypatch):
    whole = paired_bootstrap(*statistics, score=bleu, samples=60)
    monkeypatch.setattr("lmlab.report.corpus_comparison.CELLS", 7 * len(statistics[0]))
    assert paired_bootstrap(*statistics, score=bleu, samples=60) == whole


def test_systems_with_different_examples_are_refused(statistics):
    with pytest.raises(AssertionError, match="same examples"):
        paired_bootstrap(statistics[0][:5], statistics[1], score=bleu)


def test_chrf_is_sacrebleus():
    said, true = ["the cat sat", "", "dogs"], [["the cat is here", "a b", "a dog"]]
    scorer = CHRF()
    each = np.array(scorer._extract_corpus_statistics(said, true), dtype=float)
    assert chrf(each.sum(axis=0)[None])[0] == pytest.approx(scorer.corpus_score(said, true).score)
    assert chrf(np.zeros((1, 18)))[0] == 0


@pytest.mark.parametrize(
    "said", [["a cat", "on a mat"], ["the cat sat here", "ran"], ["a cat is", ""], ["x", "y"], ["", ""]]
)
def test_bleu_without_a_match_of_some_order_is_smoothed_as_sacrebleus(said):
    scorer, true = BLEU(), [["the cat sat on it", "on the mat"]]
    each = np.array(scorer._extract_corpus_statistics(said, true), dtype=float)
    assert bleu(each.sum(axis=0)[None])[0] == pytest.approx(scorer.corpus_score(said, true).score)
