import pytest
import torch
from torch import nn

from lmlab.model.attention.dot import Dot
from lmlab.model.attention.heads import repeat
from lmlab.model.attention.product import fused, plain
from lmlab.model.attention.scaled_dot import ScaledDot
from lmlab.types import Mask, Mistake

OPTIONS = {"logit_cap": None, "sinks": False, "gate": None, "backend": "auto"}
KEYS = {
    "num_heads": 3,
    "num_kv_heads": None,
    "head_dim": None,
    "bias": True,
    "dropout": 0.0,
    "qk_norm": False,
} | OPTIONS


def test_self_attention_equals_torch_multihead_attention():
    torch.manual_seed(0)
    ours, theirs = ScaledDot(dim=12, memory_dim=None, **KEYS), nn.MultiheadAttention(12, 3, batch_first=True)
    theirs.in_proj_weight.data, theirs.in_proj_bias.data = ours.heads.query.weight.data, ours.heads.query.bias.data
    theirs.out_proj.load_state_dict(ours.heads.output.state_dict())
    states = torch.randn(2, 5, 12)
    forbidden = torch.ones(5, 5).triu(1).bool()
    expected, weights = theirs(states, states, states, attn_mask=forbidden, average_attn_weights=False)
    output, _, ours_weights = ours(states, states, Mask(is_causal=True), with_weights=True)
    torch.testing.assert_close(output, expected)
    torch.testing.assert_close(ours_weights, weights)
    torch.testing.assert_close(ours(states, states, Mask(is_causal=True))[0], expected)


def test_cross_attention_equals_torch_multihead_attention():
    torch.manual_seed(0)
    ours = ScaledDot(dim=12, memory_dim=7, **KEYS)
    theirs = nn.MultiheadAttention(12, 3, kdim=7, vdim=7, batch_first=True)
    theirs.q_proj_weight.data = ours.heads.query.weight.data
    theirs.k_proj_weight.data, theirs.v_proj_weight.data = ours.heads.key_value.weight.data.chunk(2)
    theirs.in_proj_bias.data = torch.cat((ours.heads.query.bias.data, ours.heads.key_value.bias.data))
    theirs.out_proj.load_state_dict(ours.heads.output.state_dict())
    query, memory = torch.randn(2, 3, 12), torch.randn(2, 5, 7)
    seen = torch.tensor([[True, True, True, False, False], [False, True, True, True, True]])
    expected, weights = theirs(query, memory, memory, key_padding_mask=~seen, average_attn_weights=False)
    output, _, ours_weights = ours(query, memory, Mask(allowed=seen[:, None, None]), with_weights=True)
    torch.testing.assert_close(output, expected)
    torch.testing.assert_close(ours_weights, weights)


MASKS = [
    Mask(),
    Mask(is_causal=True),
    Mask(allowed=torch.tensor([[1, 0, 0], [0, 0, 0], [1, 1, 0]]).bool()[None, None]),
    Mask(bias=torch.tensor([[0, 1, 2], [3, -torch.inf, 4], [5, 6, -torch.inf]])[None, None]),
]


@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("num_kv_heads", [1, 4])
def test_products_in_bfloat16_agree_with_the_formula_in_float32(mask, num_kv_heads):
    torch.manual_seed(0)
    inputs = [torch.randn(2, heads, 3, 8) for heads in (4, num_kv_heads, num_kv_heads)]
    results = []
    for dtype, attend in ((torch.bfloat16, fused), (torch.float32, lambda *args, **kw: plain(*args, **kw)[0])):
        parts = [one.to(dtype).requires_grad_() for one in inputs]
        output = attend(*parts, mask, scale=0.5, dropout=0.0)
        output.square().sum().backward()
        results.append([output.float(), *(part.grad.float() for part in parts)])
    for ours, expected in zip(*results, strict=True):
        torch.testing.assert_close(ours, expected, rtol=0.02, atol=0.1)


@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("attention", [ScaledDot, Dot])
@pytest.mark.parametrize("num_kv_heads", [1, 2, 4])
def test_kernel_and_formula_agree_in_outputs_and_gradients(attention, mask, num_kv_heads):
    torch.manual_seed(0)
    part = attention(dim=16, memory_dim=None, **KEYS | {"num_heads": 4, "num_kv_heads": num_kv_heads})
    results = []
    for with_weights in (False, True):
        states = torch.randn(2, 3, 16, generator=torch.Generator().manual_seed(1)).requires_grad_()
        output = part(states, states, mask, with_weights=with_weights)[0]
        output.square().sum().backward()
        results.append((output, states.grad))
    for kernel, formula in zip(*results):
        torch.testing.assert_close(kernel, formula)


def test_one_key_value_head_for_all_equals_equal_heads():
    torch.manual_seed(0)
    shared = ScaledDot(dim=8, memory_dim=5, **KEYS | {"num_heads": 2, "num_kv_heads": 1})
    each = ScaledDot(dim=8, memory_dim=5, **KEYS | {"num_heads": 2})
    each.heads.query, each.heads.output = shared.heads.query, shared.heads.output
    key, value = shared.heads.key_value.weight.data.chunk(2)
    each.heads.key_value.weight.data = torch.cat((key, key, value, value))
    key, value = shared.heads.key_value.bias.data.chunk(2)
    each.heads.key_value.bias.data = torch.cat((key, key, value, value))
    query, memory = torch.randn(2, 3, 8), torch.randn(2, 4, 5)
    torch.testing.assert_close(shared(query, memory, Mask())[0], each(query, memory, Mask())[0])


def test_neighbouring_heads_share_a_key_value_head():
    """As in Llama and Ainslie et al. 2023, figure 2: heads 1 and 2 the first, 3 and 4 the second."""
    heads = torch.arange(2.0).view(1, 2, 1, 1)
    assert repeat(heads, 4).flatten().tolist() == [0, 0, 1, 1]


def test_a_width_that_heads_do_not_divide_is_refused():
    keys = KEYS | {"num_heads": 4}
    with pytest.raises(Mistake) as error:
        ScaledDot(dim=10, memory_dim=None, **keys)
    assert str(error.value) == (
        "model.dim=10 is not divisible by model.attention.num_heads=4; set model.dim to a multiple of 4"
    )
    with pytest.raises(Mistake, match=r"model\.cross_attention\.num_heads=4"):
        ScaledDot(dim=10, memory_dim=8, **keys)
    with pytest.raises(Mistake, match=r"num_kv_heads=3; set"):
        ScaledDot(dim=8, memory_dim=None, **keys | {"num_kv_heads": 3})


def test_dropout_falls_on_the_weights_in_training_only():
    torch.manual_seed(0)
    part = ScaledDot(dim=12, memory_dim=None, **KEYS | {"dropout": 0.5})
    states = torch.randn(2, 5, 12)
    for with_weights in (False, True):
        one, two = (part.train()(states, states, Mask(), with_weights=with_weights)[0] for _ in range(2))
        assert not torch.equal(one, two)
        one, two = (part.eval()(states, states, Mask(), with_weights=with_weights)[0] for _ in range(2))
        assert torch.equal(one, two)
