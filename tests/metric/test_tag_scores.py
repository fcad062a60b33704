"""Scores of tags by hand and by scikit-learn; spans as conlleval counts them; sentences that were cut; ranks."""

import math

import pytest
import torch
from sklearn import metrics

from lmlab.metric.tag_scores import TagScores

LABELS = ["B-A", "B-B", "I-A", "I-B", "O"]


def scores(pairs, labels=LABELS):
    """Of sentences as (true, predicted), tags apart by white space, each in one batch."""
    metric, place = TagScores(labels=labels), 0
    for true, said in pairs:
        targets, found = ([labels.index(tag) for tag in tags.split()] for tags in (true, said))
        places = torch.arange(place, place + len(targets))
        metric.update(torch.tensor(0.5), torch.tensor(found), torch.tensor(targets), places)
        place += len(targets) + 1
    return metric.compute()


@pytest.mark.parametrize(
    ("true", "said", "right", "num_true", "num_said"),
    [
        ("B-A I-A O B-B", "B-A I-A O B-B", 2, 2, 2),
        ("B-A I-A O O", "B-A O O O", 0, 1, 1),  # too short
        ("B-A I-A O O", "I-A I-A O O", 1, 1, 1),  # an I- starts a span
        ("B-A I-A I-A O", "B-A B-A I-A O", 0, 1, 2),
        ("B-A I-A O O", "B-A I-B O O", 0, 1, 2),  # another kind starts a span
        ("O O O O", "O B-A O O", 0, 0, 1),
        ("B-A B-A O O", "B-A I-A O O", 0, 2, 1),
        ("O O O O", "O O O O", 0, 0, 0),
    ],
)
def test_spans_count_as_for_conlleval(true, said, right, num_true, num_said):
    found = scores([(true, said)])
    assert found["span_precision"] == pytest.approx(right / num_said if num_said else 0)
    assert found["span_recall"] == pytest.approx(right / num_true if num_true else 0)
    assert found["span_f1"] == pytest.approx(2 * right / (num_true + num_said) if right else 0)


def test_figures_are_of_the_split_and_no_span_reaches_over_sentences():
    found = scores([("B-A I-A", "B-A I-A"), ("I-A O B-B", "I-A O O"), ("B-B", "B-A")])
    assert found["accuracy"] == pytest.approx(4 / 6)
    assert found["loss"] == pytest.approx(3 * 0.5 / 6)
    assert found["span_precision"] == pytest.approx(2 / 3)
    assert found["span_recall"] == pytest.approx(2 / 4)
    assert found["span_f1"] == pytest.approx(2 * 2 / 7)


def test_a_sentence_that_was_cut_and_comes_in_any_order_counts_as_one():
    metric = TagScores(labels=LABELS)
    for places, tags in (([2, 3], [2, 4]), ([0, 1], [0, 2]), ([5], [0])):
        tags = torch.tensor(tags)
        metric.update(torch.tensor(0.0), tags, tags, torch.tensor(places))
    assert metric.compute()["span_recall"] == 1
    true = metric._spans(torch.tensor([0, 2, 2, 4, 0]).numpy(), torch.tensor([0, 1, 2, 3, 5]).numpy())
    assert {(one.first, one.end) for one in true} == {(0, 3), (5, 6)}


def test_macro_f1_is_scikit_learns_over_tags_that_are_there():
    draw = torch.Generator().manual_seed(0)
    labels = ["a", "b", "c", "d", "never"]
    targets, found = (torch.randint(4, (200,), generator=draw) for _ in range(2))
    metric = TagScores(labels=labels)
    metric.update(torch.tensor(3.0), found, targets, torch.arange(200))
    result = metric.compute()
    assert result["macro_f1"] == pytest.approx(metrics.f1_score(targets, found, average="macro"))
    assert result["accuracy"] == pytest.approx(metrics.accuracy_score(targets, found))
    assert set(result) == {"loss", "accuracy", "macro_f1"}  # no spans in such tags


def test_without_words_there_are_names_and_no_numbers():
    metric, nothing = TagScores(labels=LABELS), torch.zeros(0, dtype=torch.long)
    metric.update(torch.tensor(0.0), nothing, nothing, nothing)
    assert math.isnan(metric.compute()["accuracy"])


def test_what_ranks_gathered_counts_together():
    metric = TagScores(labels=LABELS)
    tags = torch.tensor([0, 2, 4])
    metric.update(torch.tensor(0.0), tags, tags, torch.arange(3))
    metric.places, metric.found, metric.targets = (
        torch.cat(one) for one in (metric.places, metric.found, metric.targets)
    )
    assert metric._of_spans()["span_f1"] == 1
