"""Sums by example are those of a loop over the places, in any order and on any number of ranks."""

import math

import numpy as np
import pytest
import torch

from lmlab.metric.per_example import Comparable, PerExample
from lmlab.metric.token_loss import UNIT, TokenLoss

ENDS = np.array([3, 4, 11])


def test_each_place_is_counted_in_its_example_and_padding_in_none():
    kept = PerExample(ends=ENDS, units={"nll": 0.5, "targets": 1.0})
    place = torch.tensor([[9, 10, 11, 12], [2, 3, 4, 0]])  # 11 and 12 are padding
    nll = torch.tensor([[4, 5, 0, 0], [1, 2, 3, 7]])
    kept.add(place, torch.stack([nll, (nll > 0).long()], dim=-1))
    kept.conclude()
    assert kept.totals.tolist() == [[4.0, 2.0], [1.0, 1.0], [6.0, 3.0]]
    kept.add(torch.tensor([3]), torch.tensor([[8, 1]]))  # the next evaluation begins at 0
    kept.conclude()
    assert kept.totals.tolist() == [[0.0, 0.0], [4.0, 1.0], [0.0, 0.0]]


def metric(ends=ENDS):
    made = TokenLoss(num_tokens=11, num_bytes=30, num_words=5)
    assert isinstance(made, Comparable)
    made.by_example = PerExample(ends=ends, units=made.units)
    return made


def test_the_sums_are_the_losses_and_their_sum_is_the_loss_to_the_last_bit():
    losses = torch.rand(11, generator=torch.Generator().manual_seed(0)) * 20
    one, order = metric(), torch.randperm(11, generator=torch.Generator().manual_seed(1))
    for part in order.split(4):
        one.update(losses[part], torch.ones(len(part), dtype=torch.bool), part)
    loss, totals = one.compute()["loss"], one.by_example.totals
    assert totals[:, 0] == pytest.approx([float(part.sum()) for part in losses.split([3, 1, 7])], abs=11 * UNIT)
    assert totals[:, 1].tolist() == [3, 1, 7]
    assert totals[:, 0].sum() / totals[:, 1].sum() == loss


def test_ranks_add_up_to_the_bits_of_one():
    losses = torch.rand(11, generator=torch.Generator().manual_seed(0)) * 20
    whole, ranks = metric(), [metric(), metric()]
    whole.update(losses, torch.ones(11, dtype=torch.bool), torch.arange(11))
    for number, rank in enumerate(ranks):  # each sees all, and counts its own
        is_own = torch.arange(11) % 2 == number
        rank.update(torch.where(is_own, losses, 0.0), is_own, torch.arange(11))
    for one in (whole, *ranks):
        one.compute()
    assert (sum(rank.by_example.totals for rank in ranks) == whole.by_example.totals).all()


def test_a_loss_that_is_not_finite_breaks_no_sum():
    one = metric()
    one.update(torch.tensor([1.0, math.nan, math.inf]), torch.ones(3, dtype=torch.bool), torch.tensor([0, 1, 3]))
    assert math.isnan(one.compute()["loss"])
    assert one.by_example.totals.tolist() == [[1.0, 2.0], [0.0, 1.0], [0.0, 0.0]]
