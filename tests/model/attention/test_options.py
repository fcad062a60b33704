"""Cap, sinks and gate, against transformers' formulas and pair by pair."""

import copy
from types import SimpleNamespace

import pytest
import torch
from torch import nn
from transformers.models.gemma2 import modeling_gemma2
from transformers.models.gpt_oss import modeling_gpt_oss

from lmlab.model.attention.additive import Additive
from lmlab.model.attention.concat import Concat
from lmlab.model.attention.cosine import Cosine
from lmlab.model.attention.dot import Dot
from lmlab.model.attention.general import General
from lmlab.model.attention.scaled_dot import ScaledDot
from lmlab.types import Cuttable, Mask, Mistake

KEYS = {
    "dim": 8, "memory_dim": None, "num_heads": 2, "num_kv_heads": None, "head_dim": None, "bias": False,
    "dropout": 0.0, "qk_norm": False,
    "logit_cap": None, "sinks": False, "gate": None, "backend": "auto",
}  # fmt: skip
ALLOWED = torch.tensor([[1, 0, 0], [1, 1, 0], [0, 1, 1]]).bool()[None, None]


def part_of(kind=ScaledDot, **keys):
    torch.manual_seed(0)
    part = kind(**KEYS | keys)
    for parameter in part.parameters():
        nn.init.normal_(parameter)
    return part


@pytest.mark.parametrize("num_kv_heads", [1, 4])
def test_sinks_are_those_of_gpt_oss(num_kv_heads):
    part = part_of(dim=16, num_heads=4, num_kv_heads=num_kv_heads, sinks=True)
    theirs = SimpleNamespace(sinks=part.sinks.logits, num_key_value_groups=4 // num_kv_heads, training=False)
    states = torch.randn(2, 3, 16)
    forbidden = torch.zeros(ALLOWED.shape).masked_fill(~ALLOWED, -torch.inf)
    expected, weights = modeling_gpt_oss.eager_attention_forward(
        theirs, *part.heads.split(states, states, None), forbidden, scaling=0.5
    )
    output, _, ours = part(states, states, Mask(allowed=ALLOWED), with_weights=True)
    torch.testing.assert_close(output, part.heads.output(expected.flatten(2)), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(ours, weights)
    torch.testing.assert_close(part(states, states, Mask(allowed=ALLOWED))[0], output)


def test_a_sink_of_zero_is_one_more_in_the_denominator():
    """Softmax_1 (Miller 2023), which is how sinks begin."""
    part = ScaledDot(**KEYS | {"sinks": True})
    states = torch.randn(1, 3, 8)
    queries, keys, _ = part.heads.split(states, states, None)
    scores = (0.5 * queries @ keys.mT).exp()
    weights = part(states, states, Mask(), with_weights=True)[2]
    torch.testing.assert_close(weights, scores / (1 + scores.sum(-1, keepdim=True)))


def test_a_query_that_sees_nothing_takes_nothing_beside_a_sink():
    part = part_of(sinks=True)
    states = torch.randn(1, 3, 8)
    allowed = ALLOWED & torch.tensor([[True], [False], [True]])
    output, _, weights = part(states, states, Mask(allowed=allowed), with_weights=True)
    assert weights[:, :, 1].abs().max() == 0
    assert output[:, 1].abs().max() == 0


def test_the_cap_is_that_of_gemma_2():
    part = part_of(logit_cap=0.7)
    states = torch.randn(2, 3, 8)
    theirs = SimpleNamespace(num_key_value_groups=1, training=False)
    forbidden = torch.zeros(ALLOWED.shape).masked_fill(~ALLOWED, -torch.inf)
    expected, weights = modeling_gemma2.eager_attention_forward(
        theirs, *part.heads.split(states, states, None), forbidden, scaling=0.5, softcap=0.7
    )
    output, _, ours = part(states, states, Mask(allowed=ALLOWED), with_weights=True)
    torch.testing.assert_close(output, part.heads.output(expected.flatten(2)), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(ours, weights)
    torch.testing.assert_close(part(states, states, Mask(allowed=ALLOWED))[0], output)


@pytest.mark.parametrize("kind", [Dot, General, Cosine, Additive, Concat])
def test_every_score_takes_cap_and_sinks(kind):
    part = part_of(kind, logit_cap=0.5, sinks=True)
    states = torch.randn(1, 3, 8)
    queries, keys, _ = part.heads.split(states, states, None)
    queries, keys = part.prepared(queries, keys)
    by_network = not part.is_product
    scores = (
        (part.hidden(queries, keys) @ part.score[:, None])[..., 0] if by_network else part.scale * queries @ keys.mT
    )
    sinks = part.sinks.logits.view(1, 2, 1, 1).expand(1, 2, 3, 1)
    expected = torch.cat((0.5 * torch.tanh(scores / 0.5), sinks), -1).softmax(-1)[..., :-1]
    output, _, weights = part(states, states, Mask(), with_weights=True)
    torch.testing.assert_close(weights, expected)
    torch.testing.assert_close(part(states, states, Mask())[0], output)


@pytest.mark.parametrize("memory_dim", [None, 5])
@pytest.mark.parametrize("gate", ["head", "elementwise"])
def test_a_gate_is_a_sigmoid_of_the_state_that_asks(gate, memory_dim):
    part = part_of(gate=gate, memory_dim=memory_dim)
    open_ = copy.deepcopy(part)
    open_.gate = None
    open_.heads.output = part.heads.output = nn.Identity()
    query = torch.randn(2, 3, 8)
    memory = query if memory_dim is None else torch.randn(2, 4, memory_dim)
    attended = open_(query, memory, Mask())[0].view(2, 3, 2, 4)
    factor = part.gate.projection(query).sigmoid().view(2, 3, 2, 1 if gate == "head" else 4)
    torch.testing.assert_close(part(query, memory, Mask())[0], (attended * factor).flatten(2))


@pytest.mark.parametrize(("key", "value"), [("sinks", True), ("gate", "head")])
def test_what_ranks_cannot_share_is_refused(key, value):
    parts = [part for part in part_of(**{key: value}).children() if isinstance(part, Cuttable)]
    with pytest.raises(Mistake, match=rf"strategy=tensor_parallel .* set model\.attention\.{key}="):
        [part.cut(2) for part in parts]


def test_a_cap_that_leaves_no_score_is_refused():
    with pytest.raises(Mistake, match=r"model\.cross_attention\.logit_cap=-1 leaves no score; set it above 0"):
        part_of(logit_cap=-1.0, memory_dim=5)
