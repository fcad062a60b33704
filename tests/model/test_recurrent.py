import pytest
import torch
from torch import nn

from lmlab.model.cell.lstm import Lstm
from lmlab.model.recurrent import Recurrent
from lmlab.types import Mask, Memory, Mistake


@pytest.mark.parametrize(("name", "reference"), [("rnn", nn.RNN), ("lstm", nn.LSTM), ("gru", nn.GRU)])
def test_a_stack_equals_torch_stacked_layers(build, name, reference):
    model = build((f"model={name}",))
    theirs = reference(24, 24, num_layers=2, batch_first=True)
    for mine, their in zip(model.layers.parameters(), theirs.parameters(), strict=True):
        their.data = mine.data
    inputs = torch.randint(37, (2, 7))
    torch.testing.assert_close(model(inputs).states, theirs(model.embedding(inputs))[0])


def test_an_encoder_equals_torch_bidirectional_layers_on_packed_sequences(build):
    model = build(("model=lstm",), causal=False)
    theirs = nn.LSTM(24, 12, num_layers=2, bidirectional=True, batch_first=True)
    for mine, their in zip(model.layers.parameters(), theirs.parameters(), strict=True):
        their.data = mine.data
    inputs, lengths = torch.randint(37, (3, 7)), torch.tensor([7, 3, 5])
    document = (torch.arange(7) < lengths[:, None]).long()
    packed = nn.utils.rnn.pack_padded_sequence(model.embedding(inputs), lengths, True, enforce_sorted=False)
    states, (hidden, cell) = theirs(packed)
    expected, _ = nn.utils.rnn.pad_packed_sequence(states, batch_first=True)
    output = model(inputs, document)
    torch.testing.assert_close(output.states[document != 0], expected[document != 0])
    for layer, (last_hidden, last_cell) in enumerate(output.state[0]):
        torch.testing.assert_close(last_hidden, torch.cat(tuple(hidden[2 * layer : 2 * layer + 2]), dim=-1))
        torch.testing.assert_close(last_cell, torch.cat(tuple(cell[2 * layer : 2 * layer + 2]), dim=-1))


def test_attention_over_the_memory_is_that_of_luong(build):
    model = build(("model=gru",), memory_dim=5)
    inputs, memory = torch.randint(37, (2, 7)), Memory(torch.randn(2, 4, 5))
    states = model.embedding(inputs)
    for layer in model.layers:
        states = layer(states, None, None)[0]
    context = model.reader.attention(states, memory.states, Mask())[0]
    expected = torch.tanh(torch.cat((context, states), dim=-1) @ model.reader.combine.weight.T)
    torch.testing.assert_close(model(inputs, None, memory).states, expected)


def test_init_range_bounds_every_weight():
    model = Recurrent(
        vocab_size=37,
        causal=True,
        dim=8,
        num_layers=2,
        dropout=0.0,
        input_feeding=False,
        init_range=0.01,
        cell=Lstm,
        cross_attention=None,
    )
    assert all(0.005 < parameter.abs().max() <= 0.01 for parameter in model.parameters())


def test_an_encoder_of_odd_width_is_refused(build):
    with pytest.raises(Mistake, match=r"model\.dim=7 is odd"):
        build(("model=lstm", "model.dim=7"), causal=False)


def test_dropout_falls_on_no_recurrent_connection(build):
    """With everything dropped, the first layer runs on its biases alone, and its state still moves."""
    model = build(("model=lstm", "model.dropout=1.0")).train()
    output = model(torch.randint(37, (2, 7)))
    assert output.states.abs().max() == 0
    hidden, _ = output.state[0][0]
    shorter, _ = model(torch.randint(37, (2, 3))).state[0][0]
    assert (hidden - shorter).abs().max() > 1e-4
