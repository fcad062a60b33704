import pytest
import torch
from torch import nn

from lmlab.model.cell.gru import Gru
from lmlab.model.cell.lstm import Lstm
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
