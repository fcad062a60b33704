"""Two systems on the same examples: paired bootstrap (Koehn 2004), approximate randomisation (Riezler & Maxwell 2005).

A corpus score such as BLEU or F1 is no mean of the examples' scores, so each example comes as its sufficient statistics,
whose sum over a sample of examples gives the sample's score. As in sacrebleu's paired tests, with two differences: a draw
that is equal to what was seen counts as well (Noreen 1989), since by accuracy many are; and p of the bootstrap is of both
tails, as all p here, where sacrebleu's is of one, about half.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

Score = Callable[[Array], Array]
"""Summed statistics [samples, statistics] -> scores [samples]."""

CELLS = 2**22
"""Samples x examples that are drawn at once; bounds the memory."""


@dataclass(frozen=True)
class CorpusComparison:
    """The scores of both systems on all examples, and p of their difference, two-sided."""

    a: float
    b: float
    p: float
    low: float
    """The 95 % interval of a - b over resampled examples; NaN by randomisation, which has none."""
    high: float


def paired_bootstrap(a: Array, b: Array, *, score: Score, samples: int = 1_000, seed: int = 12345) -> CorpusComparison:
    """Examples are drawn with replacement, the same for both; p: how often the difference strays from its mean that far.

    `a`, `b`: [examples, statistics], the same examples in the same order.
    """
    first, second = _scores(a, b, score)
    rng = np.random.default_rng(seed)
    drawn: list[Array] = []
    for size in _portions(samples, len(a)):
        counts = rng.multinomial(len(a), np.full(len(a), 1 / len(a)), size=size).astype(float)
        drawn.append(score(counts @ a) - score(counts @ b))
    differences = np.concatenate(drawn)
    low, high = np.percentile(differences, [2.5, 97.5])
    p = _p(np.abs(differences - differences.mean()), abs(first - second))
    return CorpusComparison(first, second, p, float(low), float(high))


def approximate_randomisation(
    a: Array, b: Array, *, score: Score, samples: int = 10_000, seed: int = 12345
) -> CorpusComparison:
    """Outputs of an example are swapped between the systems at random; p: how often they then differ by more than seen.

    `a`, `b`: [examples, statistics], the same examples in the same order.
    """
    first, second = _scores(a, b, score)
    rng = np.random.default_rng(seed)
    total_a, total_b = a.sum(axis=0), b.sum(axis=0)
    drawn: list[Array] = []
    for size in _portions(samples, len(a)):
        moved = rng.integers(2, size=(size, len(a)), dtype=bool).astype(float) @ (b - a)
        drawn.append(score(total_a + moved) - score(total_b - moved))
    p = _p(np.abs(np.concatenate(drawn)), abs(first - second))
    return CorpusComparison(first, second, p, np.nan, np.nan)


def accuracy(totals: Array) -> Array:
    """Statistics: right, of how many."""
    return _ratio(totals[:, 0], totals[:, 1])


def mean(totals: Array) -> Array:
    """Statistics: a sum, such as of losses, and of how many."""
    return _ratio(totals[:, 0], totals[:, 1])


def perplexity(totals: Array) -> Array:
    """Statistics: nats, of how many tokens or words."""
    with np.errstate(over="ignore"):
        found: Array = np.exp(mean(totals))
    return found


def bits(totals: Array) -> Array:
    """Statistics: nats, of how many bytes."""
    return mean(totals) / math.log(2)


def f1(totals: Array) -> Array:
    """Statistics: true positives, false positives, false negatives; 2 tp / (2 tp + fp + fn)."""
    right, false, missed = totals.T
    return _ratio(2 * right, 2 * right + false + missed)


def bleu(totals: Array) -> Array:
    """exp(min(0, 1 - r/c) + mean log p_n), in percent (Papineni et al. 2002); as sacrebleu smooths, the k-th order without
    a match has 1 / 2^k of one (mteval-v13a).

    Statistics as sacrebleu has them: length of output c, of reference r, matches of n-grams 1..N, n-grams of the output 1..N.
    """
    order = (totals.shape[1] - 2) // 2
    length, reference = totals[:, 0], totals[:, 1]
    matches, grams = totals[:, 2 : 2 + order], totals[:, 2 + order :]
    is_missed = (matches == 0) & (grams > 0)
    smoothed = np.where(is_missed, 0.5 ** is_missed.cumsum(axis=1), matches)
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log(_ratio(smoothed, grams)).mean(axis=1)
        brevity = np.minimum(0.0, 1 - reference / length)
    found: Array = np.where(matches.any(axis=1), 100 * np.exp(logs + np.where(length > 0, brevity, 0.0)), 0.0)
    return found


def chrf(totals: Array) -> Array:
    """F2 of the mean precision and the mean recall of character n-grams (Popović 2015), in percent, as sacrebleu has it.

    Statistics, for each order: n-grams of the output, of the reference, that both have.
    """
    said, true, both = (totals[:, first::3] for first in range(3))
    is_there = (said > 0) & (true > 0)
    number = is_there.sum(axis=1).astype(float)
    precision, recall = (_ratio((_ratio(both, whole) * is_there).sum(axis=1), number) for whole in (said, true))
    return 100 * _ratio(5 * precision * recall, 4 * precision + recall)


SCORES: Mapping[str, Score] = {one.__name__: one for one in (mean, perplexity, bits, accuracy, f1, bleu, chrf)}
"""By the names under which runs keep them."""


def _scores(a: Array, b: Array, score: Score) -> tuple[float, float]:
    assert a.shape == b.shape, f"both systems need the same examples: {a.shape} is not {b.shape}"
    return float(score(a.sum(axis=0, keepdims=True))[0]), float(score(b.sum(axis=0, keepdims=True))[0])


def _p(drawn: Array, seen: float) -> float:
    return float((np.sum(drawn >= seen - 1e-12 * max(1.0, seen)) + 1) / (len(drawn) + 1))


def _portions(samples: int, examples: int) -> Iterator[int]:
    most = max(1, CELLS // examples)
    for start in range(0, samples, most):
        yield min(most, samples - start)


def _ratio(part: Array, whole: Array) -> Array:
    found: Any = np.divide(part, whole, out=np.zeros_like(part, dtype=float), where=whole > 0)
    return np.asarray(found, dtype=float)
