"""A mixture of writing and copying: probabilities that add up, by hand, and that copy what the attention lies on."""

import pytest
import torch
from torch import nn

from lmlab.head.next_token import NextToken
from lmlab.head.pointer import Pointer
from lmlab.predictions import asked, predicted
from lmlab.types import Copying, Extras, Mistake, Output


def made(copy_bias=0.0):
    torch.manual_seed(0)
    return Pointer(
        dim=6, vocab_size=11, embedding=nn.Embedding(11, 6), tie_weights=True, bias=False, copy_bias=copy_bias
    )


SOURCE = torch.tensor([[4, 9, 4]])
ATTENTION = torch.tensor([[[0.5, 0.2, 0.3], [0.0, 1.0, 0.0]]])


def test_shares_are_the_mixture_of_equation_9():
    head, states = made(copy_bias=1.0), torch.randn(1, 2, 6)
    nn.init.normal_(head.gate.weight)
    shares = head(states, ATTENTION, SOURCE).exp()
    torch.testing.assert_close(shares.sum(-1), torch.ones(1, 2))
    writes = torch.sigmoid(head.gate(states))[0, :, 0]
    vocab = torch.softmax(head.tokens(states), dim=-1)[0]
    torch.testing.assert_close(shares[0, 0, 4], writes[0] * vocab[0, 4] + (1 - writes[0]) * 0.8)
    torch.testing.assert_close(shares[0, 1, 9], writes[1] * vocab[1, 9] + (1 - writes[1]))
    torch.testing.assert_close(shares[0, 1, 0], writes[1] * vocab[1, 0])


def test_a_gate_that_copies_writes_what_is_looked_at():
    assert made(copy_bias=-20.0)(torch.randn(1, 2, 6), ATTENTION, SOURCE).argmax(-1).tolist() == [[4, 9]]


def test_log_shares_are_logits_of_themselves():
    found = made()(torch.randn(1, 2, 6), ATTENTION, SOURCE)
    torch.testing.assert_close(torch.log_softmax(found, dim=-1), found)


def test_a_model_that_does_not_look_at_a_source_is_refused():
    states = Output(torch.randn(1, 2, 6))
    with pytest.raises(Mistake, match="head=pointer copies what a decoder looks at"):
        predicted(made(), states, SOURCE)
    looking = Output(torch.randn(1, 2, 6), extras=Extras(cross_attention=(ATTENTION[:, None],)))
    with pytest.raises(Mistake, match="head=pointer copies"):
        predicted(made(), looking, None)
    assert torch.equal(predicted(made(), looking, SOURCE, last=True), predicted(made(), looking, SOURCE)[:, -1:])


def test_only_a_head_that_copies_asks_for_attention():
    plain = NextToken(
        dim=6,
        vocab_size=11,
        embedding=nn.Embedding(11, 6),
        tie_weights=True,
        bias=False,
        scale_states=False,
        init_range=None,
    )
    assert isinstance(made(), Copying)
    assert not isinstance(plain, Copying)
    assert (asked(made()), asked(plain)) == ({"with_attention": True}, {})
