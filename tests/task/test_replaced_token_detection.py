"""Both losses by hand; what is sampled is drawn right, has no gradient, and follows from its place in evaluation."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from lmlab.head.generator import Generator
from lmlab.head.replaced_token import ReplacedToken
from lmlab.metric.replaced_scores import ReplacedScores
from lmlab.task.replaced_token_detection import ReplacedTokenDetection, drawn
from lmlab.task.seeds import uniform_at
from lmlab.task.task import Plan
from lmlab.types import IGNORE, Batch, Mistake, Output

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

    causal, state_grows = False, False

    def __init__(self, dim, vocab_size=VOCAB):
        super().__init__()
        self.dim, self.embedding = dim, nn.Embedding(vocab_size, dim)

    def forward(self, inputs, document=None, memory=None, state=None, *, with_attention=False):
        states = inputs if inputs.is_floating_point() else self.embedding(inputs)
        return Output(states + states.roll(1, dims=1) + states.roll(-1, dims=1))


def made(size=0.5, weight=50.0, temperature=1.0):
    torch.manual_seed(0)
    model = Neighbours(6)
    head = ReplacedToken(
        dim=6,
        generator=lambda share, activation, eps: Generator(
            model=Neighbours(round(6 * share), vocab_size=1),
            dim=6,
            vocab_size=VOCAB,
            embedding=model.embedding,
            activation=activation,
            eps=eps,
        ),
        generator_size=size,
        activation=nn.GELU(),
        eps=1e-12,
    )
    return ReplacedTokenDetection(
        model=model,
        head=head,
        metric=lambda split: ReplacedScores(weight=weight),
        plan=PLAN,
        weight=weight,
        temperature=temperature,
    ).eval()


def batch(*, real=20, seed=0):
    """Four windows of five tokens with some hidden; the last ones may be padding."""
    random = torch.Generator().manual_seed(seed)
    text = torch.randint(1, MASK, (4, 5), generator=random)
    place = torch.arange(20).reshape(4, 5)
    is_real = place < real
    is_hidden = (torch.rand((4, 5), generator=random) < 0.4) & is_real
    targets = torch.where(is_hidden, text, IGNORE)
    inputs = torch.where(is_hidden, MASK, text)
    document = None if real == 20 else is_real.long()
    return text, Batch(inputs, targets, num_targets=int(is_hidden.sum()), num_tokens=20, document=document, place=place)


def test_the_loss_of_a_step_is_the_generators_mean_and_the_weighted_mean_of_detection():
    task, (text, given) = made(weight=7.0), batch()
    torch.manual_seed(3)
    total, auxiliary = task.objective(given)
    torch.manual_seed(3)
    found = task(given, torch.rand(given.num_targets))
    is_hidden = given.targets != IGNORE
    generator = task.head.generator
    states = generator.model(generator.inner(task.model.embedding(given.inputs))).states
    logits = generator.output(states)[is_hidden]
    expected = F.cross_entropy(logits, text[is_hidden])
    assert torch.equal(torch.where(is_hidden, text, found.filled), text)
    scores = task.head(task.model(found.filled).states)
    expected = expected + 7.0 * F.binary_cross_entropy_with_logits(scores, (found.filled != text).float())
    torch.testing.assert_close(total / given.num_targets, expected)
    assert auxiliary == {}


def test_a_sample_that_is_the_hidden_token_counts_as_original():
    task, (text, given) = made(temperature=1e-6), batch()
    hidden = given.targets != IGNORE
    with torch.no_grad():
        task.head.generator.output.tokens.output.bias[:] = 0
        task.head.generator.output.tokens.output.bias[text[hidden][0]] = 1e4
    found = task(given, torch.rand(given.num_targets))
    assert torch.equal(found.is_replaced, hidden & (text != text[hidden][0]))


def test_detection_gives_the_generator_no_gradient_and_every_part_learns():
    task, (_, given) = made(), batch()
    found = task(given, torch.rand(given.num_targets))
    found.scores.sum().backward(retain_graph=True)
    assert all(parameter.grad is None for parameter in task.head.generator.model.parameters())
    assert task.head.generator.output.transform.weight.grad is None
    assert task.head.generator.inner.weight.grad is None
    total, _ = task.objective(given)
    total.backward()
    learned = [parameter for parameter in task.parameters() if parameter.requires_grad]
    assert all(parameter.grad is not None and parameter.grad.abs().sum() > 0 for parameter in learned)


def test_both_models_have_one_embedding():
    task = made()
    assert task.head.generator.output.tokens.output.weight is task.model.embedding.weight
    assert task.head.generator.inner.weight.shape == (3, 6)
    assert isinstance(made(size=1.0).head.generator.inner, nn.Identity)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_tokens_are_drawn_as_often_as_they_are_likely(temperature):
    logits = torch.tensor([2.0, -1.0, 0.5, float("-inf"), 1.0])
    chance = uniform_at(torch.arange(40_000))
    found = drawn(logits.expand(len(chance), -1), temperature, chance)
    shares = torch.bincount(found, minlength=5) / len(chance)
    torch.testing.assert_close(shares, (logits / temperature).softmax(-1), atol=0.01, rtol=0)
    assert drawn(logits[None], temperature, torch.tensor([1 - 2**-24])).item() == 4


def test_what_is_replaced_in_evaluation_follows_from_the_place_alone():
    task, (_, given) = made(), batch()
    whole = task.on_held_out(given)
    row = Batch(given.inputs[2:3], given.targets[2:3], num_targets=1, place=given.place[2:3])
    torch.manual_seed(5)
    assert torch.equal(task.on_held_out(row).filled, whole.filled[2:3])
    assert whole.is_replaced.any()


@torch.no_grad()
def test_scores_are_of_every_real_place():
    task, (text, given) = made(), batch(real=18)
    task.evaluate("val", given)
    task.evaluate("val", Batch(given.inputs, torch.full_like(text, IGNORE), num_targets=1, place=given.place))
    figures, found = task.metrics["val"].compute(), task.on_held_out(given)
    real, said = given.place < 18, found.scores > 0
    assert figures["accuracy"] == pytest.approx((said == found.is_replaced)[real].float().mean().item())
    assert figures["accuracy_of_all_original"] == pytest.approx(1 - found.is_replaced[real].float().mean().item())
    detection = F.binary_cross_entropy_with_logits(found.scores, found.is_replaced.float(), reduction="none")
    assert figures["detection_loss"] == pytest.approx(detection[real].mean().item(), rel=1e-4)
    assert figures["generator_loss"] == pytest.approx(found.nll.mean().item(), rel=1e-4)
    assert figures["loss"] == pytest.approx(figures["generator_loss"] + 50 * figures["detection_loss"])
    told, replaced = (said & found.is_replaced)[real].sum().item(), found.is_replaced[real].sum().item()
    assert figures["recall"] == pytest.approx(told / replaced)


@pytest.mark.parametrize("size", [0.0, 1.5])
def test_a_size_that_is_no_share_is_refused(size):
    with pytest.raises(Mistake, match="generator_size"):
        made(size=size)
