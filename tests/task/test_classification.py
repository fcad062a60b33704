"""The loss of a class and of several labels; what is evaluated."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from lmlab.head.mean import Mean
from lmlab.metric.label_scores import LabelScores
from lmlab.task.classification import Classification
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


class Embedding(nn.Module):
    """The smallest encoder."""

    dim, causal, state_grows = 6, False, False

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(11, 6)

    def forward(self, inputs, document=None, memory=None, state=None, *, with_attention=False):
        return Output(self.embedding(inputs))


def made(*, multi_label, label_smoothing=0.0):
    torch.manual_seed(0)
    return Classification(
        model=Embedding(),
        head=Mean(dim=6, num_classes=3, dropout=0.0),
        metric=lambda split: LabelScores(num_classes=3, multi_label=multi_label),
        plan=PLAN,
        label_smoothing=label_smoothing,
        multi_label=multi_label,
    )


def batch(targets):
    inputs = torch.arange(len(targets) * 4).reshape(len(targets), 4) % 11
    return Batch(inputs, targets, num_targets=len(targets), document=torch.ones_like(inputs))


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_loss_of_a_class_is_summed_over_examples_that_have_one(smoothing):
    task, targets = made(multi_label=False, label_smoothing=smoothing), torch.tensor([2, IGNORE, 0])
    total, _ = task.objective(batch(targets))
    logits, _ = task(batch(targets))
    shares = torch.log_softmax(logits, dim=-1)
    goal = F.one_hot(targets[[0, 2]], 3) * (1 - smoothing) + smoothing / 3
    torch.testing.assert_close(total, -(goal * shares[[0, 2]]).sum())


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_losses_of_several_labels_add_up(smoothing):
    task = made(multi_label=True, label_smoothing=smoothing)
    targets = torch.tensor([[1.0, 0.0, 1.0], [IGNORE] * 3])
    total, _ = task.objective(batch(targets))
    logits, _ = task(batch(targets))
    goal = targets[0] * (1 - smoothing) + smoothing / 2
    torch.testing.assert_close(total, F.binary_cross_entropy_with_logits(logits[0], goal, reduction="sum"))


@pytest.mark.parametrize(
    "targets",
    [torch.tensor([2, IGNORE, 0]), torch.tensor([[1.0, 0, 1], [IGNORE] * 3, [0.0, 0, 0]])],
    ids=["one", "several"],
)
def test_what_has_no_target_is_not_measured(targets):
    task = made(multi_label=targets.ndim == 2)
    task.evaluate("val", batch(targets))
    assert [len(part) for part in task.metrics["val"].targets] == [2]
