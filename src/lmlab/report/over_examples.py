"""Two configurations over the examples of a split: is the one better on other text, with the models as they are trained?

The statistics of an example are averaged over a configuration's runs (its seeds), each with the same weight. A loss or an
accuracy is then the mean over the runs; a perplexity, F1 or BLEU that of the averaged statistics, near to the mean. The test
draws examples, not seeds: it says nothing about what another seed would give.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from lmlab.report.corpus_comparison import (
    SCORES,
    Array,
    CorpusComparison,
    Score,
    accuracy,
    approximate_randomisation,
    bits,
    mean,
    paired_bootstrap,
    perplexity,
)
from lmlab.report.figure import figure, p_value
from lmlab.report.record import Record
from lmlab.types import Examples, Mistake

SAMPLES = 10_000
"""So that Holm's correction of many comparisons can still find p < 0.05: no p is below 1 / 10,001."""

DRAWS = 10**8
"""Examples drawn in all: with more than 10,000 examples the samples become fewer, down to 1,000, to take seconds."""

FEWEST = 20
"""Of few examples p of the bootstrap is too small: p < 0.05 for 11 % of 300 equal pairs with 10, 7 % with 40, 3 % with 400."""

Test = Callable[..., CorpusComparison]

TESTS: dict[str, Test] = {"bootstrap": paired_bootstrap, "randomisation": approximate_randomisation}


RATIOS = (mean, perplexity, bits, accuracy)
"""Scores whose last statistic says of how many."""


@dataclass(frozen=True)
class Pooled:
    """A configuration by example."""

    metric: str
    runs: Sequence[Record]
    sums: Array
    """[examples, statistics that the score takes], the mean over the runs."""
    statistics: Sequence[str]
    score: Score
    kind: str
    source: str


@dataclass(frozen=True)
class OverExamples:
    """What a test over examples found of a - b."""

    comparison: CorpusComparison
    examples: str
    """How many of which kind: `402 documents`."""

    @property
    def difference(self) -> float:
        return self.comparison.a - self.comparison.b

    @property
    def p(self) -> float:
        return self.comparison.p


def pooled(runs: Sequence[Record], *, metric: str) -> Pooled:
    """The runs of one configuration, by what they keep of `metric`, such as test/loss.

    Raises:
        Mistake: where one keeps nothing of it, or they have different examples.
    """
    kept = [_kept(run, metric) for run in runs]
    function, taken = kept[0].scores[metric.rpartition("/")[2]]
    for run, one in zip(runs, kept):
        _check_same(runs[0], kept[0], run, one)
    sums = [one.sums[:, [one.statistics.index(name) for name in taken]] for one in kept]
    return Pooled(metric, runs, np.mean(sums, axis=0), taken, SCORES[function], kept[0].kind, kept[0].source)


def over_examples(a: Pooled, b: Pooled, *, test: Test) -> OverExamples:
    """Compare two configurations.

    Raises:
        Mistake: where their examples differ, or are too few.
    """
    _check_same(a.runs[0], a, b.runs[0], b)
    _check_counts(a, b)
    if len(a.sums) < FEWEST:
        raise Mistake(f"a test over examples needs {FEWEST} of them, and there are {_counted(a)}; test=seed needs none")
    samples = min(SAMPLES, max(1_000, DRAWS // len(a.sums)))
    return OverExamples(test(a.sums, b.sums, score=a.score, samples=samples), _counted(a))


def shown(found: OverExamples) -> str:
    """The difference with its 95 % interval, where the test has one, and over what."""
    low, high = found.comparison.low, found.comparison.high
    within = f"95 % {figure(low)} to {figure(high)}, " if math.isfinite(low) else ""
    return f"{figure(found.difference)} ({within}{found.examples})"


def between(a: Record, b: Record) -> str | None:
    """One line on b - a, by the first figure that both keep by example; None where they have not the same examples."""
    for split in ("test", "val"):
        first, second = a.examples(split), b.examples(split)
        common = [name for name in first.scores if name in second.scores] if first and second else []
        if common:
            metric = f"{split}/{common[0]}"
            try:
                found = over_examples(pooled([b], metric=metric), pooled([a], metric=metric), test=TESTS["bootstrap"])
            except Mistake:  # other examples, or too few of them
                return None
            return f"{metric} by paired bootstrap: {shown(found)}, p = {p_value(found.p)}"
    return None


def _kept(run: Record, metric: str) -> Examples:
    split, _, name = metric.rpartition("/")
    found = run.examples(split) if split in ("val", "test") else None
    if found is not None and name in found.scores:
        return found
    if split in ("val", "test") and found is None:
        raise Mistake(
            f"run {run.id} keeps no statistics of {split} by example (it is older than they are, or evaluated a part "
            "of the split only); train it again with fresh=true, or test=seed"
        )
    kept = {one: run.examples(one) for one in ("val", "test")}
    known = [f"{one}/{name}" for one, examples in kept.items() if examples for name in examples.scores]
    raise Mistake(
        f"metric={metric} does not follow from statistics by example; run {run.id} has those of "
        f"{', '.join(known) or 'nothing'}: set metric to one that all have, or test=seed"
    )


def _check_same(first: Record, a: Examples | Pooled, second: Record, b: Examples | Pooled) -> None:
    if (a.kind, a.source, len(a.sums)) != (b.kind, b.source, len(b.sums)):
        raise Mistake(
            f"runs {first.id} ({_counted(a)}) and {second.id} ({_counted(b)}) were not evaluated on the same examples: "
            "a test over examples needs the same data, and for blocks of tokens the same tokenizer; "
            "name what differs in columns, or test=seed"
        )


def _check_counts(a: Pooled, b: Pooled) -> None:
    """A loss per token is another figure with other tokens, also where the documents are the same."""
    if a.score in RATIOS and not np.allclose(a.sums[:, -1], b.sums[:, -1]):
        raise Mistake(
            f"{a.metric} is a ratio to {a.statistics[-1]}, of which runs {a.runs[0].id} and {b.runs[0].id} have different "
            "numbers in the same examples, as with different tokenizers; set metric to one that compares them "
            "(bits_per_byte), or test=seed"
        )


def _counted(examples: Examples | Pooled) -> str:
    return f"{len(examples.sums):,} {examples.kind}"
