"""The loss of tagged sentences, by every head and with every encoder; what is evaluated."""

import pytest
import torch
from torch import nn

from lmlab import config
from lmlab.command.kind.kind import fits
from lmlab.command.kind.tagged import Tagged
from lmlab.examples import Known
from lmlab.head.crf import Crf
from lmlab.head.per_token import PerToken
from lmlab.metric.tag_scores import TagScores
from lmlab.task.tagging import Tagging
from lmlab.task.task import Plan
from lmlab.tree import groups
from lmlab.types import IGNORE, Batch, Mistake, Output

PLAN = Plan(
    optimizer=lambda module: torch.optim.SGD(module.parameters(), lr=0.1),
    schedule=lambda step: 1.0,
    num_micro=1,
    total_steps=None,
    seed=0,
    gradient_clip=None,
)
LABELS = ("B-A", "I-A", "O")
HEADS = {"per_token": PerToken, "crf": Crf}
NEEDS = Tagged.needs
ENCODERS = sorted(
    name
    for name, path in groups()["model"].items()
    if fits(path, NEEDS["model"]) and "_" not in name.removesuffix("_cnn")
)
"""Presets of a published size have a mark in their names."""


class Embedding(nn.Module):
    """The smallest encoder."""

    dim, causal, state_grows = 6, False, False

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(11, 6)

    def forward(self, inputs, document=None, memory=None, state=None, *, with_attention=False):
        return Output(self.embedding(inputs))


def made(head, model=None):
    torch.manual_seed(0)
    model = model or Embedding()
    head = HEADS[head](dim=model.dim, num_tags=3, dropout=0.0)
    for parameter in head.parameters():
        nn.init.normal_(parameter)
    return Tagging(model=model, head=head, metric=lambda split: TagScores(labels=LABELS), plan=PLAN)


def batch(targets, inputs=None, document=None):
    inputs = torch.arange(targets.numel()).reshape(targets.shape) % 11 if inputs is None else inputs
    document = torch.ones_like(inputs) if document is None else document
    number = int((targets != IGNORE).sum())
    place = torch.arange(targets.numel()).reshape(targets.shape)
    return Batch(inputs, targets, num_targets=number, document=document, place=place)


TARGETS = torch.tensor([[2, IGNORE, 0, 1], [0, IGNORE, IGNORE, IGNORE], [IGNORE] * 4])


def test_the_loss_of_separate_tags_is_that_of_each_word():
    task = made("per_token")
    total, _ = task.objective(batch(TARGETS))
    logits = task.head(task.model(batch(TARGETS).inputs).states).logits.log_softmax(dim=-1)
    words = [(0, 0, 2), (0, 2, 0), (0, 3, 1), (1, 0, 0)]
    torch.testing.assert_close(total, -sum(logits[word] for word in words))


@pytest.mark.parametrize("head", HEADS)
def test_the_losses_of_passes_add_up_to_that_of_the_step(head):
    task, whole = made(head), batch(TARGETS)
    total, _ = task.objective(whole)
    parts = [
        task.objective(batch(TARGETS[row : row + 1], whole.inputs[row : row + 1], whole.document[row : row + 1]))[0]
        for row in range(3)
    ]
    torch.testing.assert_close(total, sum(parts))


@pytest.mark.parametrize("head", HEADS)
def test_what_has_no_target_is_not_measured(head):
    task = made(head)
    task.evaluate("val", batch(TARGETS))
    assert task.metrics["val"].confusion.sum() == 4
    task.evaluate("val", batch(torch.full((2, 3), IGNORE)))
    found = task.metrics["val"].compute()
    assert task.metrics["val"].confusion.sum() == 4
    assert found["loss"] == pytest.approx(task.objective(batch(TARGETS))[0].item() / 4)


def encoder(name):
    words = ["task=tagging", f"model={name}", "model.dim=24"]
    small = {"num_layers": 2, "attention.num_heads": 4, "attention.num_kv_heads": 2, "mixer.head_dim": 8}
    composed = config.compose(words)
    chosen = [f"model.{key}={value}" for key, value in small.items() if config.has(composed, f"model.{key}")]
    torch.manual_seed(0)
    try:
        return Tagged().model(config.compose([*words, *chosen]), Known(11, LABELS))[0].eval()
    except Mistake as mistake:
        return pytest.skip(str(mistake))


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("name", ENCODERS)
def test_every_encoder_learns_with_every_head_and_padding_changes_nothing(name, head):
    model = encoder(name)
    task = made(head, model).eval()
    targets = torch.tensor([[2, IGNORE, 0, 1, 2, 0], [0, 1, IGNORE, IGNORE, IGNORE, IGNORE]])
    inputs = torch.tensor([[5, 1, 2, 3, 4, 6], [7, 8, 9, 0, 0, 0]])
    document = torch.tensor([[1] * 6, [1, 1, 1, 0, 0, 0]])
    total, auxiliary = task.objective(batch(targets, inputs, document))
    near = [
        task.objective(batch(targets[row : row + 1, :length], inputs[row : row + 1, :length]))[0]
        for row, length in enumerate((6, 3))
    ]
    torch.testing.assert_close(total, sum(near), rtol=1e-4, atol=1e-4)
    (total + sum(auxiliary.values())).backward()
    trained = [name for name, one in task.named_parameters() if one.requires_grad]
    assert not [name for name, one in task.named_parameters() if name in trained and one.grad is None]
