"""The loss of spans by hand and with every encoder, padding, passes of a step; the best span of a window."""

from itertools import product

import pytest
import torch
from torch import nn

from lmlab import config
from lmlab.command.kind.kind import fits
from lmlab.command.kind.questions import Questions
from lmlab.head.span import Span
from lmlab.task.question_answering import END, LEAST, START, QuestionAnswering, best
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
NEEDS = Questions.needs
ENCODERS = sorted(
    name
    for name, path in groups()["model"].items()
    if fits(path, NEEDS["model"]) and "_" not in name.removesuffix("_cnn")
)
"""Presets of a published size have a mark in their names."""


class Kept(nn.Module):
    """A metric that keeps what it is given."""

    def update(self, *values):
        self.values = values


class Embedding(nn.Module):
    """The smallest encoder."""

    dim, causal, state_grows = 6, False, False

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(11, 6)

    def forward(self, inputs, document=None, memory=None, state=None, *, with_attention=False):
        return Output(self.embedding(inputs))


def made(model=None, **values):
    torch.manual_seed(0)
    model = model or Embedding()
    head = Span(dim=model.dim, num_ends=2, dropout=0.0)
    for parameter in head.parameters():
        nn.init.normal_(parameter)
    defaults = {"metric": lambda split: Kept(), "plan": PLAN, "max_answer": 3, "threshold": 0.0}
    return QuestionAnswering(model=model, head=head, **defaults | values)


NO = IGNORE
TARGETS = torch.tensor(
    [
        [0, NO, NO, 0, START, 0, END, NO],
        [START + END, NO, NO, 0, 0, NO, NO, NO],
        [0, NO, 0, START + END, NO, NO, NO, NO],
        [0, NO, NO, 0, 0, 0, NO, NO],  # of which nobody knows the answer
    ]
)
LENGTHS = (8, 6, 5, 7)
DOCUMENT = torch.tensor([[1] * length + [0] * (8 - length) for length in LENGTHS])
INPUTS = torch.arange(32).reshape(4, 8) % 11 * DOCUMENT


def batch(rows=slice(None), length=None):
    targets, inputs, document = (one[rows, :length] for one in (TARGETS, INPUTS, DOCUMENT))
    place = torch.stack([torch.arange(4)[rows], torch.full((len(targets),), -3)], dim=1)
    return Batch(inputs, targets, num_targets=3, document=document, place=place)


def test_the_loss_is_that_of_both_ends_among_the_places_that_an_answer_may_have():
    task = made()
    total, _ = task.objective(batch())
    logits = task.head(task.model(INPUTS).states)
    expected = torch.zeros(())
    for row, start, end in [(0, 4, 6), (1, 0, 0), (2, 3, 3)]:
        places = (TARGETS[row] != IGNORE).nonzero().flatten()
        for place, kind in ((start, 0), (end, 1)):
            of_places = logits[row, places, kind].log_softmax(dim=0)
            expected = expected - of_places[places.tolist().index(place)]
    torch.testing.assert_close(total, expected)


def test_rows_without_a_target_have_no_loss_and_no_gradient_that_is_no_number():
    task = made()
    nothing = Batch(INPUTS, torch.full_like(TARGETS, IGNORE), num_targets=1, document=DOCUMENT)
    total, _ = task.objective(nothing)
    total.backward()
    assert total == 0
    assert all(torch.equal(one.grad, torch.zeros_like(one)) for one in task.parameters())


def test_evaluation_leaves_out_rows_that_do_not_count():
    task = made()
    one = batch()
    one.targets = one.targets.clone()
    one.targets[1] = IGNORE
    task.evaluate("val", one)
    _, num_known, places, tokens, scores = task.metrics["val"].values
    assert num_known == 2
    assert places.tolist() == [0, 2, 3]
    assert tokens.shape == scores.shape == (3, 2)


@pytest.mark.parametrize("max_answer", [1, 2, 3, 9])
def test_the_best_span_is_that_of_a_search_through_all(max_answer):
    torch.manual_seed(1)
    logits = torch.randn(5, 7, 2)
    is_possible = torch.rand(5, 7) < 0.7
    is_possible[:, [0, 3]] = True
    logits = logits.masked_fill(~is_possible[..., None], LEAST)
    found = best(logits, max_answer)
    for row in range(5):
        spans = [(i, j) for i, j in product(range(1, 7), repeat=2) if i <= j < i + max_answer]
        score, (first, last) = max((float(logits[row, i, 0] + logits[row, j, 1]), (i, j)) for i, j in spans)
        assert (int(found.first[row]), int(found.last[row])) == (first, last)
        assert float(found.score[row]) == pytest.approx(score)
        assert float(found.no_answer[row]) == pytest.approx(float(logits[row, 0].sum()))


def test_a_window_without_a_place_has_no_span():
    logits = torch.full((2, 4, 2), LEAST)
    logits[:, 0] = 1.0
    found = best(logits, 3)
    assert found.score.tolist() == [LEAST, LEAST]
    assert found.no_answer.tolist() == [2.0, 2.0]
    assert best(logits[:, :1], 3).score.tolist() == [LEAST, LEAST]


def test_no_room_for_an_answer_is_said():
    with pytest.raises(Mistake, match=r"task\.max_answer=0"):
        made(max_answer=0)


def encoder(name):
    words = ["task=question_answering", f"model={name}", "model.dim=24"]
    small = {"num_layers": 2, "attention.num_heads": 4, "attention.num_kv_heads": 2, "mixer.head_dim": 8}
    composed = config.compose(words)
    chosen = [f"model.{key}={value}" for key, value in small.items() if config.has(composed, f"model.{key}")]
    torch.manual_seed(0)
    try:
        return Questions().model(config.compose([*words, *chosen]), 11)[0].eval()
    except Mistake as mistake:
        return pytest.skip(str(mistake))


@pytest.mark.parametrize("name", ENCODERS)
def test_every_encoder_learns_and_padding_changes_nothing(name):
    task = made(encoder(name)).eval()
    total, auxiliary = task.objective(batch())
    near = [task.objective(batch(slice(row, row + 1), length))[0] for row, length in enumerate(LENGTHS)]
    torch.testing.assert_close(total, sum(near), rtol=1e-4, atol=1e-4)
    (total + sum(auxiliary.values())).backward()
    trained = [name for name, one in task.named_parameters() if one.requires_grad]
    assert not [name for name, one in task.named_parameters() if name in trained and one.grad is None]
