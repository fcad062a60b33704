"""The loss of targets given their sources, for an encoder with its decoder and for a decoder alone; what is evaluated."""

import numpy as np
import pytest
import torch

from lmlab import config as configuration
from lmlab.batch.source_target import SourceTarget
from lmlab.command.kind.source_target import writer_of
from lmlab.metric.text_scores import TextScores
from lmlab.task.sequence_to_sequence import SequenceToSequence
from lmlab.task.task import Plan
from lmlab.types import IGNORE

EOS, VOCAB = 0, 11

PLAN = Plan(
    optimizer=lambda module: torch.optim.Adam(module.parameters(), lr=0.01),
    schedule=lambda step: 1.0,
    num_micro=1,
    total_steps=None,
    seed=0,
    gradient_clip=None,
)

PAIRS = [([3, 4, 5, 6], [6, 5, 4, 3]), ([7], [7]), ([8, 9], [9, 8])]


def batching(*, joined):
    return SourceTarget(
        size=4,
        micro_size=None,
        max_tokens=None,
        seq_len=12,
        eval_size=4,
        num_workers=0,
        packing=False,
        seed=0,
        eos=EOS,
        joined=joined,
    )


def batch(pairs, *, joined):
    return batching(joined=joined).of_pairs([(np.array(source), np.array(target)) for source, target in pairs])


class Numbers:
    """A tokenizer of digits."""

    eos = EOS

    def decode(self, ids):
        return " ".join(map(str, ids))


def made(model, *overrides, label_smoothing=0.0):
    torch.manual_seed(0)
    config = configuration.compose(
        [
            "task=sequence_to_sequence",
            f"model={model}",
            "model.dim=16",
            "model.num_layers=1",
            "batch.seq_len=12",
            *overrides,
        ]
    )
    built = configuration.build(config, "model")(vocab_size=VOCAB, causal=True)
    head = configuration.build(config, "head")(dim=built.dim, vocab_size=VOCAB, embedding=built.embedding)
    return SequenceToSequence(
        model=built,
        head=head,
        metric=lambda split: TextScores(
            scores=["exact_match"],
            references=lambda: [(" ".join(map(str, target)),) for _, target in PAIRS],
            decode=Numbers().decode,
        ),
        plan=PLAN,
        write=writer_of(config, Numbers()),
        label_smoothing=label_smoothing,
    )


MODELS = {"seq2seq": False, "transformer": True, "lstm": True, "gru": True, "transformer_base": False}
"""Whether source and target make one row."""


def variants():
    heads = ("model.attention.num_heads=2",)
    extra = {"transformer": heads, "transformer_base": ("model.cross_attention.num_heads=2",)}
    found = [pytest.param(name, joined, extra.get(name, ()), id=name) for name, joined in MODELS.items()]
    return [*found, pytest.param("seq2seq", False, ("head=pointer", "model.cross_attention.num_heads=1"), id="pointer")]


@pytest.mark.parametrize(("model", "joined", "extra"), variants())
def test_padding_does_not_change_the_loss(model, joined, extra):
    task = made(model, *extra).eval()
    whole, _ = task.objective(batch(PAIRS, joined=joined))
    alone = [task.objective(batch([pair], joined=joined))[0] for pair in PAIRS]
    torch.testing.assert_close(whole, torch.stack(alone).sum(), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("model", "joined", "extra"), variants())
def test_the_loss_is_of_the_targets_alone_and_depends_on_the_source(model, joined, extra):
    task = made(model, *extra).eval()
    one = batch(PAIRS[:1], joined=joined)
    logits, _ = task(one)
    shares = torch.log_softmax(logits[0].float(), dim=-1)
    wanted = [-shares[place, target] for place, target in enumerate(one.targets[0]) if target != IGNORE]
    assert len(wanted) == 5
    torch.testing.assert_close(task.objective(one)[0], torch.stack(wanted).sum())
    other, _ = task.objective(batch([([1, 2, 1, 2], PAIRS[0][1])], joined=joined))
    assert abs(float(other) - float(task.objective(one)[0])) > 1e-6


@pytest.mark.parametrize(("model", "joined", "extra"), variants())
def test_what_is_learned_is_written(model, joined, extra):
    """Three pairs by heart; the targets come back, whatever length the sources have."""
    task = made(model, *extra, "model.dropout=0.0")
    optimizer, train = task.configure_optimizers(), batch(PAIRS, joined=joined)
    for _ in range(150):
        optimizer.zero_grad()
        task.objective(train)[0].backward()
        optimizer.step()
    train.place = torch.arange(3)
    task.eval()
    with torch.no_grad():
        task.evaluate("val", train)
    found = task.metrics["val"].compute()
    assert found["exact_match"] == 1.0
    assert found["loss"] < 0.5


def test_label_smoothing_is_for_training_alone():
    smoothed, plain = made("seq2seq", label_smoothing=0.3).eval(), made("seq2seq").eval()
    train = batch(PAIRS, joined=False)
    assert float(smoothed.objective(train)[0]) != pytest.approx(float(plain.objective(train)[0]))
    train.place = torch.arange(3)
    for task in (smoothed, plain):
        task.evaluate("val", train)
    assert smoothed.metrics["val"].compute()["loss"] == plain.metrics["val"].compute()["loss"]


def test_a_batch_without_an_example_adds_nothing():
    task = made("seq2seq").eval()
    empty = batching(joined=False).of_pairs([])
    empty.place = torch.empty(0, dtype=torch.long)
    task.evaluate("val", empty)
    assert str(task.metrics["val"].compute()["loss"]) == "nan"
