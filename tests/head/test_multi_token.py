"""Losses of tokens further ahead: which target each place has, and that the next token's logits know nothing of them."""

import pytest
import torch
from torch import nn

from lmlab.head.multi_token import MultiToken
from lmlab.head.next_token import NextToken
from lmlab.types import IGNORE, Mistake


def made(num_tokens=3, weight=1.0):
    torch.manual_seed(0)
    embedding = nn.Embedding(11, 6)
    return embedding, MultiToken(
        dim=6, vocab_size=11, embedding=embedding, num_tokens=num_tokens, weight=weight, tie_weights=True, bias=False
    )


def test_the_next_tokens_logits_are_those_of_the_plain_head():
    embedding, head = made()
    keys = {"bias": False, "scale_states": False, "init_range": None, "tie_weights": True}
    plain = NextToken(dim=6, vocab_size=11, embedding=embedding, **keys)
    states = torch.randn(2, 5, 6)
    assert torch.equal(head(states), plain(states))


def test_a_further_token_is_the_target_of_a_later_place():
    _, head = made(weight=0.5)
    for part in head.further:
        nn.init.normal_(part.outer.weight)
    states, targets = torch.randn(1, 5, 6), torch.tensor([[4, 7, IGNORE, 2, 9]])
    found = head.auxiliary(states, targets)
    for name, part, pairs in (
        ("token2", head.further[0], [(0, 7), (2, 2), (3, 9)]),
        ("token3", head.further[1], [(1, 2), (2, 9)]),
    ):
        shares = torch.log_softmax(head.tokens(part(states))[0], dim=-1)
        mean = -torch.stack([shares[place, token] for place, token in pairs]).mean()
        torch.testing.assert_close(found[name], 0.5 * mean / 2)


@pytest.mark.parametrize("time", [1, 2])
def test_rows_shorter_than_what_is_predicted_have_no_loss(time):
    _, head = made(num_tokens=4)
    found = head.auxiliary(torch.randn(2, time, 6), torch.ones(2, time, dtype=torch.long))
    assert [loss.item() > 0 for loss in found.values()] == [time > 1, False, False]


def test_every_part_learns():
    _, head = made()
    sum(head.auxiliary(torch.randn(2, 5, 6), torch.ones(2, 5, dtype=torch.long)).values()).backward()
    assert all(part.outer.weight.grad.abs().sum() > 0 for part in head.further)


def test_one_token_is_no_number_of_several():
    with pytest.raises(Mistake, match=r"head\.num_tokens=1 predicts no further token"):
        made(num_tokens=1)


def test_a_token_of_another_document_is_none():
    _, head = made(num_tokens=2)
    states, targets = torch.randn(1, 5, 6), torch.tensor([[4, 7, 1, 2, 9]])
    packed = head.auxiliary(states, targets, torch.tensor([[1, 1, 2, 2, 2]]))
    apart = targets.clone()
    apart[0, 2] = IGNORE  # what place 1 would see of the next document
    torch.testing.assert_close(packed["token2"], head.auxiliary(states, apart)["token2"])
