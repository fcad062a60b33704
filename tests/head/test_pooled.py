"""Every head over classes: what it is, and that padding changes nothing."""

import pytest
import torch

from lmlab.head.attention_pooling import AttentionPooling
from lmlab.head.first_token import FirstToken
from lmlab.head.max import Max
from lmlab.head.mean import Mean

HEADS = [FirstToken, Mean, Max, AttentionPooling]
STATES = torch.randn(3, 5, 8, generator=torch.Generator().manual_seed(0))
REAL = torch.arange(5) < torch.tensor([[5], [2], [1]])


@pytest.mark.parametrize("head", HEADS)
def test_padding_changes_nothing_and_every_parameter_gets_a_gradient(head):
    made = head(dim=8, num_classes=4, dropout=0.0)
    logits = made(STATES, REAL)
    other = made(STATES.masked_fill(~REAL[..., None], 7.0), REAL)
    assert logits.shape == (3, 4)
    torch.testing.assert_close(logits, other)
    torch.testing.assert_close(logits[1:2], made(STATES[1:2, :2], REAL[1:2, :2]))
    logits.square().sum().backward()
    assert all(one.grad is not None and one.grad.abs().sum() > 0 for one in made.parameters())


@pytest.mark.parametrize(
    ("head", "pooled"),
    [(FirstToken, lambda row: row[0]), (Mean, lambda row: row.mean(dim=0)), (Max, lambda row: row.amax(dim=0))],
)
def test_what_is_pooled(head, pooled):
    made = head(dim=8, num_classes=4, dropout=0.0)
    for row, real in zip(STATES, REAL):
        expected = made.output(pooled(row[real]))
        torch.testing.assert_close(made(row[None], real[None])[0], expected)


def test_attention_pooling_weighs_by_the_softmax_of_its_scores():
    made = AttentionPooling(dim=8, num_classes=4, dropout=0.0)
    row = STATES[1, :2]
    weights = (torch.tanh(row @ made.hidden.weight.T + made.hidden.bias) @ made.score.weight[0]).softmax(dim=0)
    torch.testing.assert_close(made(STATES[1:2], REAL[1:2])[0], made.output(weights @ row))
