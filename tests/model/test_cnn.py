import pytest
import torch
from torch.nn import functional as F

from lmlab.types import Mistake

WIDTHS = (3, 4, 5)


def responses(model, words, *, padded):
    """ReLU(W x_{t:t+h} + b) of each width by torch's convolution: Kim 2014, eq. 2; its windows inside the text, or over it."""
    found = []
    for one, width in zip(model.filters, WIDTHS, strict=True):
        row = words.transpose(1, 2)
        row = F.pad(row, ((width - 1) // 2, width // 2)) if padded else row
        found.append(torch.relu(F.conv1d(row, one.convolution.weight, one.convolution.bias)))
    return found


def test_states_are_the_filters_responses_around_each_place(build):
    model = build(("model=cnn",), causal=False)
    inputs = torch.randint(37, (2, 9))
    expected = torch.cat(responses(model, model.embedding(inputs), padded=True), dim=1).transpose(1, 2)
    torch.testing.assert_close(model(inputs).states, expected)


def test_windows_inside_the_document_are_kims_own(build):
    model = build(("model=cnn",), causal=False)
    inputs = torch.randint(37, (2, 9))
    narrow = responses(model, model.embedding(inputs), padded=False)
    parts = model(inputs).states.transpose(1, 2).split([part.shape[1] for part in narrow], dim=1)
    for part, own, width in zip(parts, narrow, WIDTHS, strict=True):
        torch.testing.assert_close(part[:, :, (width - 1) // 2 : 9 - width // 2], own)


def test_the_maximum_over_a_document_is_kims_of_the_padded_text_and_never_below_the_bare_one(build):
    """Eq. 3; the rows are packed, and the second document is shorter than the widest filter."""
    model = build(("model=cnn",), causal=False)
    inputs = torch.randint(37, (1, 12))
    document = torch.tensor([[1] * 7 + [2] * 4 + [0]])
    states = model(inputs, document).states
    for number in (1, 2):
        own = document == number
        words = model.embedding(inputs[own][None])
        maximum = states[own].amax(0)
        over = torch.cat([part.amax(-1) for part in responses(model, words, padded=True)], dim=1)[0]
        torch.testing.assert_close(maximum, over)
    bare = torch.cat([part.amax(-1) for part in responses(model, model.embedding(inputs[:, :7]), padded=False)], dim=1)
    assert (states[0, :7].amax(0) >= bare[0] - 1e-6).all()


def test_filters_share_the_width_as_evenly_as_it_goes(build):
    model = build(("model=cnn", "model.dim=26"), causal=False)
    assert [one.convolution.out_channels for one in model.filters] == [9, 9, 8]
    assert model(torch.randint(37, (1, 2))).states.shape == (1, 2, 26)


@pytest.mark.parametrize("widths", ["[]", "[3,0]"])
def test_widths_that_read_nothing_are_refused(build, widths):
    with pytest.raises(Mistake, match=r"model\.widths=.*set it to such as \[3,4,5\]"):
        build(("model=cnn", f"model.widths={widths}"), causal=False)


def test_fewer_features_than_widths_are_refused(build):
    with pytest.raises(Mistake, match=r"model\.dim=2 is less than one filter of each width; set it to 3 or more"):
        build(("model=cnn", "model.dim=2"), causal=False)
