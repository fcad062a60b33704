"""Contrastive losses against plain references; temperature, its bound, and vectors whose products are logits."""

import math
from functools import partial

import pytest
import torch
import torch.nn.functional as F

from lmlab.head.contrastive import Contrastive
from lmlab.head.sigmoid_contrastive import SigmoidContrastive
from lmlab.model.bag import Bag


def made(kind=Contrastive, temperature=0.07):
    torch.manual_seed(0)
    return kind(
        dim=6,
        text_vocab_size=9,
        text=partial(Bag, dim=5, dropout=0.0, ngrams=1, buckets=1),
        joint_dim=4,
        temperature=temperature,
    )


def test_without_repeats_the_loss_is_that_of_the_papers_pseudocode():
    torch.manual_seed(0)
    logits = torch.randn(7, 7)
    labels = torch.arange(7)
    paper = (F.cross_entropy(logits, labels) + F.cross_entropy(logits.T, labels)) / 2
    one = torch.eye(7, dtype=torch.bool)
    found = (Contrastive.directed(logits, one) + Contrastive.directed(logits.T, one)) / 2
    assert torch.allclose(found.mean(), paper)


def test_equal_captions_share_the_target():
    torch.manual_seed(0)
    logits = torch.randn(3, 4)
    belongs = torch.tensor([[1, 1, 0, 0], [0, 0, 1, 0], [1, 1, 0, 1]], dtype=torch.bool)
    expected = []
    for row, own in zip(logits, belongs):
        p = [math.exp(one) / sum(math.exp(other) for other in row.tolist()) for one in row.tolist()]
        right = [-math.log(one) for one, is_own in zip(p, own.tolist()) if is_own]
        expected.append(sum(right) / len(right))
    assert Contrastive.directed(logits, belongs).tolist() == pytest.approx(expected, abs=1e-5)
    best = torch.where(belongs, 50.0, -50.0)
    assert Contrastive.directed(best, belongs).tolist() == pytest.approx([math.log(2), 0, math.log(3)], abs=1e-5)


def test_the_sigmoid_loss_asks_every_pair():
    torch.manual_seed(0)
    logits = torch.randn(3, 4)
    belongs = torch.tensor([[1, 1, 0, 0], [0, 0, 1, 0], [1, 0, 0, 1]], dtype=torch.bool)
    expected = F.binary_cross_entropy_with_logits(logits, belongs.float(), reduction="none").sum(dim=1)
    assert torch.allclose(SigmoidContrastive.directed(logits, belongs), expected)


@pytest.mark.parametrize(("kind", "bias"), [(Contrastive, 0.0), (SigmoidContrastive, -10.0)])
def test_logits_are_scaled_cosines_with_the_bias(kind, bias):
    head = made(kind, temperature=0.5)
    states, ids = torch.randn(3, 2, 6), torch.tensor([[1, 2, 0], [3, 4, 5]])
    document = (ids > 0).long()
    image = head.image_projection(states.mean(dim=1))
    text = head.text_projection(
        torch.stack([head.text.embedding(ids[0, :2]).mean(0), head.text.embedding(ids[1]).mean(0)])
    )
    expected = 2 * F.cosine_similarity(image[:, None], text[None], dim=-1) + bias
    assert torch.allclose(head.images(states) @ head.texts(ids, document)[0].T, expected, atol=1e-5)


def test_the_temperature_is_learnt_and_the_scale_stays_below_100():
    head = made()
    assert head.log_scale.exp().item() == pytest.approx(1 / 0.07)
    head.images(torch.randn(3, 2, 6)).sum().backward()
    assert head.log_scale.grad is not None
    with torch.no_grad():
        head.log_scale.fill_(9.0)
    assert head.images(torch.randn(3, 2, 6))[:, :-1].norm(dim=1).tolist() == pytest.approx([100.0] * 3, rel=1e-5)
