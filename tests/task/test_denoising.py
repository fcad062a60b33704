"""The loss is over all that is written; what is measured is of the text alone."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from lmlab.metric.masked_scores import MaskedScores
from lmlab.task.denoising import Denoising
from lmlab.task.task import Plan
from lmlab.types import Batch, Output

PLAN = Plan(
    optimizer=lambda module: torch.optim.SGD(module.parameters(), lr=0.1),
    schedule=lambda step: 1.0,
    num_micro=1,
    total_steps=None,
    seed=0,
    gradient_clip=None,
)


class Sum(nn.Module):
    """The smallest pair: the target's embedding and the mean of the source's."""

    dim, causal, state_grows = 6, True, False

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(11, 6)

    def forward(self, inputs, document=None, memory=None, state=None, *, with_attention=False):
        return Output(self.embedding(inputs))

    def of_pair(self, source, inputs, source_document=None, document=None, *, with_attention=False):
        return Output(self.embedding(inputs) + self.embedding(source).mean(dim=1, keepdim=True))


def test_the_loss_is_over_all_targets_and_the_figures_over_text():
    torch.manual_seed(0)
    task = Denoising(
        model=Sum(),
        head=nn.Linear(6, 11),
        metric=lambda split: MaskedScores(),
        plan=PLAN,
        label_smoothing=0.0,
        special=(0, 9, 10),
    )
    targets = torch.tensor([[9, 3, 4, 10, 5, 0], [9, 2, 10, 2, 7, 0]])
    inputs = torch.cat([torch.zeros(2, 1, dtype=torch.long), targets[:, :-1]], dim=1)
    place = torch.arange(12).reshape(2, 6)
    batch = Batch(inputs, targets, num_targets=12, place=place, source=torch.tensor([[1, 9, 2, 10], [9, 4, 10, 8]]))
    logits = task.head(task.model.of_pair(batch.source, inputs).states)
    nll = F.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="none").view(2, 6)
    torch.testing.assert_close(task.objective(batch)[0], nll.sum())
    task.evaluate("val", batch)
    is_text = torch.tensor([[0, 1, 1, 0, 1, 0], [0, 1, 0, 1, 1, 0]]).bool()
    found = task.metrics["val"].compute()
    assert found["loss"] == pytest.approx(nll[is_text].mean().item(), rel=1e-4)
    assert found["accuracy"] == pytest.approx((logits.argmax(-1) == targets)[is_text].float().mean().item())
