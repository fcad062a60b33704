"""The loss of replies alone, given all that was said before them; what is learned is written."""

import numpy as np
import pytest
import torch

from lmlab import config as configuration
from lmlab.batch.conversations import Conversations
from lmlab.command.kind.source_target import writer_of
from lmlab.metric.text_scores import TextScores
from lmlab.task.dialogue import Dialogue
from lmlab.task.task import Plan
from lmlab.types import IGNORE

EOS, VOCAB, U, A = 0, 11, 1, 2

PLAN = Plan(
    optimizer=lambda module: torch.optim.Adam(module.parameters(), lr=0.01),
    schedule=lambda step: 1.0,
    num_micro=1,
    total_steps=None,
    seed=0,
    gradient_clip=None,
)

CHATS = [
    [(U, [3, 4]), (A, [5]), (U, [6]), (A, [4, 3])],
    [(U, [7]), (A, [7])],
    [(U, [8, 9]), (A, [9, 8, 3])],
]
"""Headers and texts."""


def batching():
    return Conversations(
        size=4, micro_size=None, max_tokens=None, seq_len=24, eval_size=4, num_workers=0, packing=False, seed=0, eos=EOS,
        learned=["assistant"], roles=("assistant", "user"),
    )  # fmt: skip


def batch(chats):
    from lmlab.examples import Rows

    texts = [ids for chat in chats for header, text in chat for ids in ([header], text)]
    counts = np.array([len(chat) for chat in chats])
    rows = Rows(
        ids=np.array([index for text in texts for index in text], np.uint16),
        text_ends=np.cumsum([len(text) for text in texts]),
        row_ends=np.cumsum(2 * counts),
        labels=np.array([int(header == U) for chat in chats for header, _ in chat], np.int32),
        label_ends=np.cumsum(counts),
    )
    return batching().batch(rows, np.arange(len(chats)))


class Numbers:
    """A tokenizer of digits."""

    eos = EOS

    def decode(self, ids):
        return " ".join(map(str, ids))


def made(model, *overrides):
    torch.manual_seed(0)
    words = [
        "task=dialogue",
        f"model={model}",
        "model.dim=16",
        "model.num_layers=1",
        "decoding.max_tokens=6",
        *overrides,
    ]
    config = configuration.compose(words)
    built = configuration.build(config, "model")(vocab_size=VOCAB, causal=True)
    head = configuration.build(config, "head")(dim=built.dim, vocab_size=VOCAB, embedding=built.embedding)
    return Dialogue(
        model=built,
        head=head,
        metric=lambda split: TextScores(
            scores=["exact_match"],
            references=lambda: [(" ".join(map(str, chat[-1][1])),) for chat in CHATS],
            decode=Numbers().decode,
        ),
        plan=PLAN,
        write=writer_of(config, Numbers()),
        label_smoothing=0.0,
    )


MODELS = [("transformer", "model.attention.num_heads=2"), ("lstm",), ("mamba2", "model.mixer.num_heads=2")]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model[0])
def test_padding_does_not_change_the_loss(model):
    task = made(*model).eval()
    whole, _ = task.objective(batch(CHATS))
    alone = [task.objective(batch([chat]))[0] for chat in CHATS]
    torch.testing.assert_close(whole, torch.stack(alone).sum(), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model[0])
def test_the_loss_is_of_the_replies_alone_and_depends_on_all_that_was_said(model):
    task = made(*model).eval()
    one = batch(CHATS[:1])
    logits, _ = task(one)
    shares = torch.log_softmax(logits[0].float(), dim=-1)
    wanted = [-shares[place, target] for place, target in enumerate(one.targets[0]) if target != IGNORE]
    assert len(wanted) == 5
    torch.testing.assert_close(task.objective(one)[0], torch.stack(wanted).sum())
    other = [(U, [4, 4]), *CHATS[0][1:]]
    changed, _ = task(batch([other]))
    assert not torch.allclose(changed[0, -1], logits[0, -1]), "the first words reach the last reply"


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model[0])
def test_what_is_learned_is_written(model):
    """Three conversations by heart; the last replies come back, whatever was said before them."""
    task = made(*model, "model.dropout=0.0")
    optimizer, train = task.configure_optimizers(), batch(CHATS)
    for _ in range(150):
        optimizer.zero_grad()
        task.objective(train)[0].backward()
        optimizer.step()
    task.eval()
    with torch.no_grad():
        task.evaluate("val", train)
    found = task.metrics["val"].compute()
    assert found["exact_match"] == 1.0
    assert found["loss"] < 0.5
