"""The loss is over hidden places alone; pseudo-perplexity hides each token in turn."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from lmlab.metric.masked_scores import MaskedScores
from lmlab.task.masked_language_modeling import MaskedLanguageModeling
from lmlab.task.task import Plan
from lmlab.types import IGNORE, Batch, Output

PLAN = Plan(
    optimizer=lambda module: torch.optim.SGD(module.parameters(), lr=0.1),
    schedule=lambda step: 1.0,
    num_micro=1,
    total_steps=None,
    seed=0,
    gradient_clip=None,
)
VOCAB, EOS, MASK = 11, 0, 10


class Neighbours(nn.Module):
    """The smallest encoder: the mean of a place and its two neighbours."""

    dim, causal, state_grows = 6, False, False

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(VOCAB, 6)

    def forward(self, inputs, document=None, memory=None, state=None, *, with_attention=False):
        states = self.embedding(inputs)
        return Output(states + states.roll(1, dims=1) + states.roll(-1, dims=1))


def made(*, pseudo_perplexity=0, num_held_out=24, label_smoothing=0.0):
    torch.manual_seed(0)
    return MaskedLanguageModeling(
        model=Neighbours(),
        head=nn.Linear(6, VOCAB),
        metric=lambda split: MaskedScores(),
        plan=PLAN,
        label_smoothing=label_smoothing,
        pseudo_perplexity=pseudo_perplexity,
        mask=MASK,
        special=(EOS, MASK),
        num_held_out=num_held_out,
    ).eval()


def batch(*, real=24):
    """Four windows of six tokens with some <eos>, two hidden in each; the last ones may be padding."""
    random = np.random.default_rng(0)
    text = torch.from_numpy(random.integers(0, MASK, (4, 6)))
    is_real = torch.arange(24).reshape(4, 6) < real
    is_hidden = torch.from_numpy(random.random((4, 6)) < 0.5) & (text != EOS) & is_real
    targets = torch.where(is_hidden, text, IGNORE)
    inputs = torch.where(is_hidden, MASK, text)
    place = torch.arange(24).reshape(4, 6)
    number = int(is_hidden.sum())
    return text, Batch(inputs, targets, num_targets=number, document=is_real.long(), place=place)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_loss_is_over_hidden_places_alone(smoothing):
    task, (_, given) = made(label_smoothing=smoothing), batch()
    total, _ = task.objective(given)
    logits = task.head(task.model(given.inputs).states)
    expected = F.cross_entropy(
        logits.flatten(0, 1), given.targets.flatten(), ignore_index=IGNORE, reduction="sum", label_smoothing=smoothing
    )
    torch.testing.assert_close(total, expected)


def test_a_pass_in_which_nothing_is_hidden_costs_nothing():
    task, (text, given) = made(), batch()
    given.inputs, given.targets = text, torch.full_like(text, IGNORE)
    total, _ = task.objective(given)
    total.backward()
    assert total.item() == 0.0
    task.evaluate("val", given)
    assert math.isnan(task.metrics["val"].compute()["loss"])


@pytest.mark.parametrize(("asked", "windows"), [(24, [0, 1, 2, 3]), (12, [0, 2]), (1, [0])])
@pytest.mark.parametrize("real", [24, 20])
@torch.no_grad()
def test_pseudo_perplexity_hides_each_token_of_some_windows_in_turn(asked, windows, real):
    task, (text, given) = made(pseudo_perplexity=asked, num_held_out=24), batch(real=real)
    task.evaluate("val", given)
    assert "pseudo_perplexity" not in task.metrics["val"].compute()
    task.evaluate("test", given)
    found, nll, right = task.metrics["test"].compute(), [], []
    for window in windows:
        for place in range(6):
            if text[window, place] != EOS and window * 6 + place < real:
                hidden = text[window : window + 1].clone()
                hidden[0, place] = MASK
                logits = task.head(task.model(hidden).states)[0, place]
                nll.append(-logits.log_softmax(-1)[text[window, place]].item())
                right.append(int(logits.argmax()) == int(text[window, place]))
    assert math.log(found["pseudo_perplexity"]) == pytest.approx(np.mean(nll), rel=1e-4)
    assert found["pseudo_accuracy"] == pytest.approx(np.mean(right))


def test_a_batch_that_another_rank_counts_is_not_measured():
    task, (text, given) = made(pseudo_perplexity=24), batch()
    given.targets = torch.full_like(text, IGNORE)
    task.evaluate("test", given)
    assert "pseudo_perplexity" not in task.metrics["test"].compute()
