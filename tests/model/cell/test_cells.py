import pytest
import torch
from torch import nn

from lmlab.model.cell.coupled_lstm import CoupledLstm
from lmlab.model.cell.gru import Gru
from lmlab.model.cell.lstm import Lstm
from lmlab.model.cell.peephole_lstm import PeepholeLstm
from lmlab.model.cell.rnn import Rnn
from lmlab.types import Mistake

INPUTS = torch.randn(2, 5, 3, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(("cell", "reference"), [
    (lambda: Rnn(input_dim=3, dim=4, nonlinearity="tanh"), lambda: nn.RNNCell(3, 4)),
    (lambda: Rnn(input_dim=3, dim=4, nonlinearity="relu"), lambda: nn.RNNCell(3, 4, nonlinearity="relu")),
    (lambda: Lstm(input_dim=3, dim=4), lambda: nn.LSTMCell(3, 4)),
    (lambda: Gru(input_dim=3, dim=4), lambda: nn.GRUCell(3, 4)),
], ids=["tanh", "relu", "lstm", "gru"])  # fmt: skip
def test_a_cell_equals_torch_step_by_step(cell, reference):
    torch.manual_seed(0)
    ours, theirs = cell(), reference()
    for mine, their in zip(ours.parameters(), theirs.parameters(), strict=True):
        their.data = mine.data
    states, last = ours(INPUTS, None)
    state = None
    for time in range(5):
        state = theirs(INPUTS[:, time], state)
        hidden = state[0] if isinstance(state, tuple) else state
        torch.testing.assert_close(states[:, time], hidden)
    torch.testing.assert_close(last, state if isinstance(state, tuple) else (state,))


def test_the_sigmoid_cell_equals_its_formula():
    torch.manual_seed(0)
    cell = Rnn(input_dim=3, dim=4, nonlinearity="sigmoid")
    weights = dict(cell.rnn.named_parameters())
    hidden = torch.rand(2, 4)
    states, _ = cell(INPUTS, (hidden,))
    for time in range(5):
        hidden = torch.sigmoid(
            INPUTS[:, time] @ weights["weight_ih_l0"].T + weights["bias_ih_l0"]
            + hidden @ weights["weight_hh_l0"].T + weights["bias_hh_l0"]
        )  # fmt: skip
        torch.testing.assert_close(states[:, time], hidden)


def test_an_unknown_nonlinearity_is_refused():
    with pytest.raises(Mistake, match=r"model\.cell\.nonlinearity=cosh is unknown"):
        Rnn(input_dim=3, dim=4, nonlinearity="cosh")


def test_the_peephole_cell_equals_its_formula():
    torch.manual_seed(0)
    one = PeepholeLstm(input_dim=3, dim=4)
    hidden, cell = torch.rand(2, 4), torch.rand(2, 4)
    states, last = one(INPUTS, (hidden, cell))
    to_input, to_forget, to_output = (torch.diag(row) for row in one.peephole)
    for time in range(5):
        gates = INPUTS[:, time] @ one.weight_ih.T + hidden @ one.weight_hh.T + one.bias
        enters = torch.sigmoid(gates[:, :4] + cell @ to_input)
        stays = torch.sigmoid(gates[:, 4:8] + cell @ to_forget)
        cell = stays * cell + enters * torch.tanh(gates[:, 8:12])
        hidden = torch.sigmoid(gates[:, 12:] + cell @ to_output) * torch.tanh(cell)
        torch.testing.assert_close(states[:, time], hidden)
    torch.testing.assert_close(last, (hidden, cell))


def test_without_its_peepholes_the_peephole_cell_is_torchs_lstm():
    torch.manual_seed(0)
    ours, theirs = PeepholeLstm(input_dim=3, dim=4), nn.LSTM(3, 4, batch_first=True)
    with torch.no_grad():
        ours.peephole.zero_()
        ours.weight_ih.copy_(theirs.weight_ih_l0)
        ours.weight_hh.copy_(theirs.weight_hh_l0)
        ours.bias.copy_(theirs.bias_ih_l0 + theirs.bias_hh_l0)
    states, (hidden, cell) = theirs(INPUTS)
    torch.testing.assert_close(ours(INPUTS, None), (states, (hidden[0], cell[0])))


def test_the_coupled_cell_equals_its_formula():
    torch.manual_seed(0)
    one = CoupledLstm(input_dim=3, dim=4)
    hidden, cell = torch.rand(2, 4), torch.rand(2, 4)
    states, last = one(INPUTS, (hidden, cell))
    for time in range(5):
        gates = INPUTS[:, time] @ one.weight_ih.T + hidden @ one.weight_hh.T + one.bias
        forget = torch.sigmoid(gates[:, :4])
        cell = forget * cell + (1 - forget) * torch.tanh(gates[:, 4:8])
        hidden = torch.sigmoid(gates[:, 8:]) * torch.tanh(cell)
        torch.testing.assert_close(states[:, time], hidden)
    torch.testing.assert_close(last, (hidden, cell))


@pytest.mark.parametrize("cell", [CoupledLstm, PeepholeLstm])
def test_a_cell_without_a_kernel_starts_from_zeros(cell):
    one = cell(input_dim=3, dim=4)
    torch.testing.assert_close(one(INPUTS, None), one(INPUTS, (torch.zeros(2, 4), torch.zeros(2, 4))))
