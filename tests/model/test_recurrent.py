import pytest
import torch
from torch import nn

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


def test_init_range_bounds_every_weight(build):
    model = build(("model=lstm", "model.init_range=0.01"), noisy=False)
    assert all(0.005 < parameter.abs().max() <= 0.01 for parameter in model.parameters())


def test_an_encoder_of_odd_width_is_refused(build):
    with pytest.raises(Mistake, match=r"model\.dim=7 is odd"):
        build(("model=lstm", "model.dim=7"), causal=False)


def test_layers_between_are_as_wide_as_expansion_says(build):
    model = build(("model=lstm", "model.num_layers=3", "model.expansion=2.3"))
    sizes = [(layer.cell.lstm.input_size, layer.cell.lstm.hidden_size) for layer in model.layers]
    assert sizes == [(24, 56), (56, 56), (56, 24)]
    state = model(torch.randint(37, (2, 7))).state
    assert [hidden.shape[1] for hidden, _ in state[0]] == [56, 56, 24]


def test_the_weight_dropped_lstm_has_the_papers_size(build):
    with torch.device("meta"):
        model = build(("model=awd_lstm", "model.dim=400", "model.num_layers=3"), noisy=False)
    layers = [4 * hidden * (before + hidden + 2) for before, hidden in ((400, 1150), (1150, 1150), (1150, 400))]
    assert sum(parameter.numel() for parameter in model.parameters()) == 37 * 400 + sum(layers)


def test_a_key_out_of_its_range_is_named(build):
    with pytest.raises(Mistake, match=r"model\.output_dropout=1\.5 is not between 0 and 1"):
        build(("model=lstm", "model.output_dropout=1.5"))
    with pytest.raises(Mistake, match=r"model\.expansion=0\.01 leaves no width of model\.dim=24"):
        build(("model=lstm", "model.expansion=0.01"))


def test_an_encoder_reads_forward_alone_where_it_is_told_to(build):
    encoder = build(("model=lstm", "model.bidirectional=false"), causal=False)
    inputs, document = torch.randint(37, (2, 7)), torch.tensor([[1, 1, 1, 2, 2, 0, 0], [0, 1, 1, 1, 1, 1, 1]])
    decoder = build(("model=lstm",))
    torch.testing.assert_close(encoder(inputs, document).states, decoder(inputs, document).states, atol=0, rtol=0)
    build(("model=lstm", "model.bidirectional=false", "model.dim=7"), causal=False)  # no halves, so an odd width too


def test_an_encoder_may_be_told_to_do_what_it_does_and_a_decoder_not(build):
    inputs = torch.randint(37, (2, 7))
    told, untold = (build(("model=gru", *more), causal=False) for more in (("model.bidirectional=true",), ()))
    torch.testing.assert_close(told(inputs).states, untold(inputs).states, atol=0, rtol=0)
    with pytest.raises(Mistake, match=r"model\.bidirectional=true, but a decoder"):
        build(("model=gru", "model.bidirectional=true"))


def test_dropout_falls_on_no_recurrent_connection(build):
    """With everything dropped, the first layer runs on its biases alone, and its state still moves."""
    model = build(("model=lstm", "model.dropout=1.0")).train()
    output = model(torch.randint(37, (2, 7)))
    assert output.states.abs().max() == 0
    hidden, _ = output.state[0][0]
    shorter, _ = model(torch.randint(37, (2, 3))).state[0][0]
    assert (hidden - shorter).abs().max() > 1e-4
