"""Scores of hidden tokens, and what they are held against, by hand."""

import math

import numpy as np
import pytest
import torch

from lmlab.metric.masked_baseline import masked_baselines
from lmlab.metric.masked_scores import MaskedScores
from lmlab.metric.per_example import Comparable, PerExample
from lmlab.metric.trigram import Trigram


def test_figures_are_means_over_tokens_and_examples_add_up_to_them():
    metric = MaskedScores()
    assert isinstance(metric, Comparable)
    metric.by_example = PerExample(ends=np.array([3, 9]), units=metric.units)
    metric.update(torch.tensor([1.0, 3.0]), torch.tensor([True, False]), torch.tensor([1, 8]))
    metric.update(torch.tensor([2.0]), torch.tensor([True]), torch.tensor([2]))
    found = metric.compute()
    assert found == pytest.approx({"loss": 2.0, "perplexity": math.exp(2), "accuracy": 2 / 3}, rel=1e-5)
    assert metric.by_example.totals.tolist() == [[3.0, 2.0, 2.0], [3.0, 1.0, 0.0]]
    metric.update(torch.tensor([0.5, 1.5]), torch.tensor([True, True]), one_at_a_time=True)
    assert metric.compute()["pseudo_perplexity"] == pytest.approx(math.e, rel=1e-5)
    assert metric.compute()["loss"] == found["loss"]


def test_no_token_and_no_finite_loss_are_not_a_number():
    metric = MaskedScores()
    metric.update(torch.zeros(0), torch.zeros(0, dtype=torch.bool))
    assert math.isnan(metric.compute()["loss"])
    metric.update(torch.tensor([1.0, math.inf]), torch.tensor([True, False]))
    assert math.isnan(metric.compute()["loss"])
    assert metric.compute()["accuracy"] == 0.5


def test_baselines_are_frequencies_and_a_trigram_of_both_sides():
    random = np.random.default_rng(0)
    train, held_out = (np.minimum(random.geometric(0.4, size), 6) for size in (900, 40))  # 0 stands for <eos>
    is_special = np.arange(8) % 7 == 0
    found = masked_baselines(train=train, held_out=held_out, is_special=is_special)
    share = (np.bincount(train, minlength=8) + 1) / (900 + 8)
    assert found["unigram"]["loss"] == pytest.approx(-np.log(share[held_out]).mean())
    assert found["unigram"]["accuracy"] == pytest.approx((held_out == 1).mean())
    model = Trigram(ids=train, vocab_size=8, eos=0)
    text, nll, right = [0, 0, *held_out.tolist(), 0, 0], [], []
    for place in range(2, len(text) - 2):
        tried = []
        for token in range(1, 7):
            line = [*text[:place], token, *text[place + 1 :]]
            grams = np.array([line[end - 2 : end + 1] for end in range(place, place + 3)])
            tried.append(model.log_prob(grams[:, :2], grams[:, 2]).sum())
        share = np.exp(tried) / np.exp(tried).sum()
        nll.append(-np.log(share[text[place] - 1]))
        right.append(int(share.argmax()) == text[place] - 1)
    both = found["trigram from both sides"]
    assert both == pytest.approx({"pseudo_perplexity": math.exp(np.mean(nll)), "pseudo_accuracy": np.mean(right)})


def test_a_text_without_a_token_to_hide_has_no_baseline():
    assert masked_baselines(train=np.zeros(5, int), held_out=np.zeros(3, int), is_special=np.ones(1, bool)) == {}
