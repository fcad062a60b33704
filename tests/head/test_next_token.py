import pytest
import torch
from torch import nn

from lmlab.head.next_token import NextToken
from lmlab.types import Mistake

KEYS = {"dim": 6, "vocab_size": 11, "bias": True, "scale_states": False, "init_range": None}


def test_a_tied_head_is_the_embedding():
    embedding = nn.Embedding(11, 6)
    head = NextToken(**KEYS, embedding=embedding, tie_weights=True)
    assert head.output.weight is embedding.weight
    states = torch.randn(2, 3, 6)
    torch.testing.assert_close(head(states), torch.einsum("btd,vd->btv", states, embedding.weight))


def test_an_untied_head_has_weights_of_its_own():
    torch.manual_seed(0)
    embedding = nn.Embedding(11, 5)
    head = NextToken(**KEYS | {"vocab_size": 500}, embedding=embedding, tie_weights=False)
    assert head.output.weight.std().item() == pytest.approx(0.02, rel=0.1)
    head = NextToken(**KEYS | {"init_range": 0.1}, embedding=embedding, tie_weights=False)
    assert 0.09 < head.output.weight.abs().max() <= 0.1


def test_weights_of_different_shapes_are_not_tied():
    with pytest.raises(Mistake, match=r"embedding of 11 x 6 .* but it is 11 x 5; set head\.tie_weights to false"):
        NextToken(**KEYS, embedding=nn.Embedding(11, 5), tie_weights=True)
