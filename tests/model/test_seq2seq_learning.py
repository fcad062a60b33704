"""Pairs of an encoder and a decoder learn: a source of ten symbols is written from its end."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from lmlab import config as configuration

SYMBOLS, DIM = 10, 32


def losses(choice, *, length, steps):
    """The loss of each step; every source is new."""
    config = configuration.compose([*choice, f"model.dim={DIM}", "model.num_layers=1", "model.dropout=0.0"])
    torch.manual_seed(0)
    model = configuration.build(config, "model")(vocab_size=SYMBOLS + 1, causal=True)
    head = nn.Linear(DIM, SYMBOLS + 1)
    optimizer = torch.optim.Adam([*model.parameters(), *head.parameters()], lr=0.01)
    generator = torch.Generator().manual_seed(0)
    found = []
    for _ in range(steps):
        source = torch.randint(1, SYMBOLS + 1, (32, length), generator=generator)
        target = source.flip(1)
        inputs = torch.cat((torch.zeros(32, 1, dtype=torch.long), target[:, :-1]), dim=1)
        logits = head(model.of_pair(source, inputs).states)
        loss = F.cross_entropy(logits.flatten(0, 1), target.flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        found.append(loss.item())
    return found


@pytest.mark.parametrize(
    "choice",
    [
        ("model=sutskever2014",),
        ("model=bahdanau2015",),
        ("model=luong2015",),
        ("model=seq2seq", "model/cross_attention=additive"),
        ("model=seq2seq", "model/encoder=transformer", "model/cross_attention=dot"),
        ("model=seq2seq", "model/encoder=gru", "model/decoder=transformer", "model/cross_attention=concat"),
        ("model=seq2seq", "model/encoder=transformer", "model/decoder=transformer", "model/cross_attention=scaled_dot"),
    ],
    ids=" ".join,
)
def test_a_pair_learns_to_write_its_source_from_the_end(choice):
    found = losses(choice, length=4, steps=60)
    assert sum(found[-5:]) / 5 < 0.8 * found[0]


def test_attention_beats_the_last_state_alone_on_a_longer_source():
    gru = ("model=seq2seq", "model/encoder=gru", "model/decoder=gru")
    without, with_dot = (
        losses([*gru, f"model/cross_attention={score}"], length=12, steps=110)[-1] for score in ("none", "dot")
    )
    assert with_dot < 0.75 * without
