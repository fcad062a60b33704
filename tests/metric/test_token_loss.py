"""The loss in every unit, and that how the text is divided into batches and ranks does not matter."""

import math

import pytest
import torch

from lmlab.metric.token_loss import TokenLoss


def test_each_unit_follows_from_the_summed_loss() -> None:
    metric = TokenLoss(num_tokens=10, num_bytes=50, num_words=8)
    metric.update(torch.tensor(12.5), 7)
    metric.update(torch.tensor(7.5), torch.tensor(3))
    found = metric.compute()
    assert found["loss"] == pytest.approx(20 / 10)
    assert found["perplexity"] == pytest.approx(math.exp(2))
    assert found["bits_per_byte"] == pytest.approx(20 / math.log(2) / 50)
    assert found["word_perplexity"] == pytest.approx(math.exp(20 / 8))


def test_half_of_a_split_has_the_bits_per_byte_of_the_whole() -> None:
    half, whole = (TokenLoss(num_tokens=10, num_bytes=50, num_words=8) for _ in range(2))
    half.update(torch.tensor(8.0), 5)
    whole.update(torch.tensor(16.0), 10)
    assert half.compute() == whole.compute()


def test_sums_are_the_same_bits_in_any_order_and_on_any_number_of_ranks() -> None:
    losses = torch.rand(101, generator=torch.Generator().manual_seed(0)) * 900
    whole = TokenLoss(num_tokens=7, num_bytes=3, num_words=2)
    for loss in losses:
        whole.update(loss, 5)
    ranks = [TokenLoss(num_tokens=7, num_bytes=3, num_words=2) for _ in range(3)]
    for index in reversed(range(len(losses))):
        ranks[index % 3].update(losses[index], 5)
    for rank in ranks[1:]:
        ranks[0].nll += rank.nll
        ranks[0].tokens += rank.tokens
    assert ranks[0].compute() == whole.compute()
    assert whole.compute()["loss"] == pytest.approx(losses.double().sum().item() / 505, abs=1e-7)


@pytest.mark.parametrize("broken", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_shows(broken: float) -> None:
    metric = TokenLoss(num_tokens=7, num_bytes=3, num_words=2)
    metric.update(torch.tensor(broken), 5)
    metric.update(torch.tensor(1.0), 5)
    assert math.isnan(metric.compute()["loss"])
    assert math.isnan(metric.compute()["perplexity"])


def test_a_diverged_loss_has_an_infinite_perplexity() -> None:
    metric = TokenLoss(num_tokens=7, num_bytes=3, num_words=2)
    metric.update(torch.tensor(4000.0), 5)
    assert metric.compute()["perplexity"] == math.inf


def test_an_empty_split_has_no_loss() -> None:
    metric = TokenLoss(num_tokens=0, num_bytes=0, num_words=0)
    metric.update(torch.tensor(0.0), 0)
    assert all(math.isnan(value) for value in metric.compute().values())


def test_half_precision_sums_are_taken_in_single() -> None:
    metric = TokenLoss(num_tokens=7, num_bytes=3, num_words=2)
    metric.update(torch.tensor(300.0, dtype=torch.bfloat16), 1)
    assert metric.compute()["loss"] == 300
