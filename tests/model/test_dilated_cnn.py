import pytest
import torch
from torch.nn import functional as F

from lmlab.model.dilated_cnn import dilations
from lmlab.types import Mask, Memory, Mistake


def by_torch(model, inputs, *, causal, dilation):
    """The stack by torch's own dilated convolution (Kalchbrenner et al. 2016, figure 3, left)."""
    states = model.embedding(inputs)
    for layer, step in zip(model.layers, dilation, strict=True):
        hidden = torch.relu(layer.filter_norm(layer.entry(torch.relu(layer.entry_norm(states)))))
        torchs = layer.filter.convolution
        width = torchs.kernel_size[0]
        left = (width - 1 if causal else (width - 1) // 2) * step
        padded = F.pad(hidden.transpose(1, 2), (left, (width - 1) * step - left))
        hidden = F.conv1d(padded, torchs.weight, torchs.bias, dilation=step).transpose(1, 2)
        states = states + layer.output(torch.relu(layer.output_norm(hidden)))
    return model.norm(states)


@pytest.mark.parametrize("causal", [True, False], ids=["decoder", "encoder"])
@pytest.mark.parametrize("width", [2, 3, 4])
def test_blocks_equal_torchs_dilated_convolutions(build, causal, width):
    overrides = ("model=dilated_cnn", f"model.kernel_size={width}", "model.num_layers=5", "model.max_dilation=4")
    model = build(overrides, causal=causal)
    inputs = torch.randint(37, (2, 13))
    expected = by_torch(model, inputs, causal=causal, dilation=[1, 2, 4, 1, 2])
    torch.testing.assert_close(model(inputs).states, expected)


def test_steps_double_up_to_the_largest_and_begin_again():
    assert dilations(7, 16) == [1, 2, 4, 8, 16, 1, 2]
    assert dilations(3, 1) == [1, 1, 1]
    assert dilations(3, 3) == [1, 2, 1]


def test_a_place_sees_as_far_back_as_the_filters_reach_and_no_further(build):
    """1 + (3 - 1)(1 + 2 + 4) = 15 places."""
    model = build(("model=dilated_cnn", "model.num_layers=3"))
    inputs = torch.randint(37, (1, 20))
    changed = (inputs + 1) % 37
    for far in (14, 15):
        other = inputs.clone()
        other[:, 19 - far] = changed[:, 19 - far]
        difference = (model(inputs).states[:, 19] - model(other).states[:, 19]).abs().max()
        assert (difference > 1e-6) == (far == 14)


def test_attention_over_the_memory_is_that_of_luong(build):
    model = build(("model=dilated_cnn",), memory_dim=5)
    inputs, memory = torch.randint(37, (2, 7)), Memory(torch.randn(2, 4, 5))
    states = by_torch(model, inputs, causal=True, dilation=[1, 2])
    context = model.reader.attention(states, memory.states, Mask())[0]
    expected = torch.tanh(torch.cat((context, states), dim=-1) @ model.reader.combine.weight.T)
    torch.testing.assert_close(model(inputs, None, memory).states, expected)


def test_the_state_of_a_document_that_has_ended_is_zero(build):
    model = build(("model=dilated_cnn",))
    (inputs, *_), (last,) = model(torch.randint(37, (1, 5)), torch.tensor([[1, 1, 1, 2, 0]])).state
    assert last.tolist() == [2]
    assert (inputs.abs().sum(-1) > 0).tolist() == [[False, True]]


@pytest.mark.parametrize(
    ("key", "value", "needs"),
    [
        ("dim", 7, "set it to an even width"),
        ("num_layers", 0, "set it to 1 or more"),
        ("kernel_size", 1, "set it to 2 or more"),
        ("max_dilation", 0, "set it to 1 or more"),
    ],
)
def test_impossible_values_are_refused(build, key, value, needs):
    with pytest.raises(Mistake, match=rf"model\.{key}={value} .*{needs}"):
        build(("model=dilated_cnn", f"model.{key}={value}"))
