"""Scores of detection are those of scikit-learn; sums by example add up to the split's."""

import numpy as np
import pytest
import torch
from sklearn.metrics import precision_recall_fscore_support

from lmlab.metric.per_example import Comparable, PerExample
from lmlab.metric.replaced_scores import ReplacedScores
from lmlab.report.corpus_comparison import SCORES


def given(seed=0, batch=4, time=6, first=0):
    random = torch.Generator().manual_seed(seed)

    def flags(share):
        return torch.rand((batch, time), generator=random) < share

    hidden = flags(0.5)
    return {
        "nll": torch.rand((batch, time), generator=random) * hidden,
        "is_hidden": hidden,
        "is_found": flags(0.5) & hidden,
        "detection": torch.rand((batch, time), generator=random),
        "is_replaced": flags(0.7) & hidden,
        "is_said": flags(0.4),
        "is_real": torch.ones(batch, time, dtype=torch.bool),
        "place": first + torch.arange(batch * time).reshape(batch, time),
    }


def test_scores_are_those_of_scikit_learn():
    one, metric = given(), ReplacedScores(weight=50.0)
    metric.update(**one)
    found = metric.compute()
    precision, recall, f1, _ = precision_recall_fscore_support(
        one["is_replaced"].flatten(), one["is_said"].flatten(), average="binary"
    )
    assert [found[name] for name in ("precision", "recall", "f1")] == pytest.approx([precision, recall, f1])
    assert tuple(found) == ReplacedScores.figures


def test_examples_add_up_to_the_split():
    metric = ReplacedScores(weight=50.0)
    metric.by_example = PerExample(ends=np.array([10, 24, 48]), units=metric.units)
    assert isinstance(metric, Comparable)
    for number in range(2):
        metric.update(**given(seed=number, first=24 * number))
    figures = metric.compute()
    totals = metric.by_example.totals
    assert totals.shape == (3, 9)
    for name, (function, taken) in metric.scores.items():
        columns = [list(metric.units).index(one) for one in taken]
        assert float(SCORES[function](totals[:, columns].sum(axis=0)[None])[0]) == pytest.approx(
            figures[name], rel=1e-5
        )


def test_nothing_counts_where_there_is_padding_or_nothing_at_all():
    metric, one = ReplacedScores(weight=50.0), given()
    metric.update(**{**one, "is_real": one["is_real"] & False})
    assert np.isnan(metric.compute()["loss"])
