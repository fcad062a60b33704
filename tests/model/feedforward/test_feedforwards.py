import pytest
import torch
from torch import nn
from torch.nn import functional as F

from lmlab.model.feedforward.activation import SquaredRelu
from lmlab.model.feedforward.mlp import Mlp
from lmlab.model.feedforward.swiglu import Swiglu
from lmlab.model.feedforward.width import width
from lmlab.model.norm.layer_norm import LayerNorm
from lmlab.model.norm.rms_norm import RmsNorm
from lmlab.types import Mistake

STATES = torch.randn(2, 3, 6, generator=torch.Generator().manual_seed(0))


def test_squared_relu_is_the_square_of_relu():
    assert SquaredRelu()(torch.tensor([-2.0, 0.0, 3.0])).tolist() == [0, 0, 9]


def test_swiglu_equals_its_formula():
    part = Swiglu(dim=6, expansion=2.0, hidden_dim=5, bias=True)
    gate, value = part.input.weight.chunk(2)
    gate_bias, value_bias = part.input.bias.chunk(2)
    hidden = F.silu(STATES @ gate.T + gate_bias) * (STATES @ value.T + value_bias)
    torch.testing.assert_close(part(STATES), hidden @ part.output.weight.T + part.output.bias)


def test_the_hidden_width_is_expansion_times_dim_to_the_nearest_multiple_of_8():
    assert width(dim=128, expansion=8 / 3, hidden_dim=None) == 344
    assert width(dim=2, expansion=1.0, hidden_dim=None) == 8
    assert width(dim=128, expansion=4.0, hidden_dim=13) == 13
    with pytest.raises(Mistake, match="expansion=0"):
        width(dim=128, expansion=0.0, hidden_dim=None)


def test_an_mlp_has_the_width_it_is_given():
    assert Mlp(dim=6, activation=nn.GELU(), expansion=4.0, hidden_dim=None, bias=False).input.weight.shape == (24, 6)


def test_norms_equal_their_formulas():
    mean, variance = STATES.mean(-1, keepdim=True), STATES.var(-1, keepdim=True, correction=0)
    expected = (STATES - mean) / (variance + 1e-5).sqrt()
    torch.testing.assert_close(LayerNorm(dim=6, eps=1e-5, bias=True)(STATES), expected)
    root = (STATES.square().mean(-1, keepdim=True) + 1e-6).sqrt()
    torch.testing.assert_close(RmsNorm(dim=6, eps=1e-6)(STATES), STATES / root)
