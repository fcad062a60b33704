"""Recall over a split: any batches, in any order, and equal captions once."""

import math

import pytest
import torch

from lmlab.head.contrastive import Contrastive
from lmlab.metric.retrieval import FIGURES, Retrieval
from lmlab.types import IGNORE

OWNED = torch.tensor([[0, 1], [2, IGNORE], [0, 3], [4, 2], [5, IGNORE]])


def vectors():
    torch.manual_seed(0)
    captions = torch.randn(6, 4)
    return torch.randn(5, 4), captions


def measured(batches):
    images, captions = vectors()
    metric = Retrieval(directed=Contrastive.directed)
    for rows in batches:
        own = OWNED[rows]
        numbers = own[own != IGNORE]
        metric.update(images[rows], own, captions[numbers], numbers)
    return metric.compute()


def test_figures_are_those_of_every_pair_looked_at():
    images, captions = vectors()
    logits = images @ captions.T
    own = [{0, 1}, {2}, {0, 3}, {4, 2}, {5}]
    places = []
    for image in range(5):
        order = logits[image].argsort(descending=True).tolist()
        places.append(1 + min(order.index(one) for one in own[image]))
    found = measured([[0, 1, 2, 3, 4]])
    assert set(found) == set(FIGURES)
    for k in (1, 5, 10):
        assert found[f"image_to_text_recall@{k}"] == pytest.approx(sum(place <= k for place in places) / 5)
    assert found["image_to_text_rank"] == sorted(places)[2]
    by_image = sum(-torch.stack([logits[row].log_softmax(0)[one] for one in own[row]]).mean() for row in range(5)) / 5
    having = [[row for row in range(5) if one in own[row]] for one in range(6)]
    by_text = (
        sum(-torch.stack([logits[:, one].log_softmax(0)[row] for row in having[one]]).mean() for one in range(6)) / 6
    )
    assert found["loss"] == pytest.approx(float(by_image + by_text) / 2, abs=1e-5)


def test_batches_and_their_order_change_nothing():
    whole = measured([[0, 1, 2, 3, 4]])
    assert measured([[4, 2], [0], [3, 1]]) == pytest.approx(whole, abs=1e-6)


def test_nothing_and_what_is_not_finite_have_no_figures():
    metric = Retrieval(directed=Contrastive.directed)
    assert all(math.isnan(value) for value in metric.compute().values())
    metric.update(torch.full((1, 2), math.nan), torch.zeros(1, 1).long(), torch.ones(1, 2), torch.zeros(1).long())
    assert math.isnan(metric.compute()["recall"])
