import re

import pytest
import torch
from torch import nn

from lmlab.model.weight_dropout import WeightDropout
from lmlab.types import Mistake

CELLS = ["rnn", "lstm", "gru", "peephole_lstm", "coupled_lstm"]
DOCUMENT = torch.tensor([[1, 1, 2, 2, 2, 3, 3], [1, 1, 1, 1, 2, 2, 0]])


@pytest.fixture
def inputs():
    return torch.randint(37, (2, 7), generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("cell", CELLS)
def test_a_pass_is_that_of_a_cell_with_the_weights_dropped_in_place(build, inputs, cell):
    model = build((f"model={cell}", "model.num_layers=1", "model.weight_dropout=0.5")).train()
    torch.manual_seed(3)
    found = model(inputs, DOCUMENT).states
    torch.manual_seed(3)
    for name, weight in model.layers[0].cell.named_parameters():
        if "weight_hh" in name:
            weight.data = nn.functional.dropout(weight, 0.5)
    plain = model.eval()(inputs, DOCUMENT).states
    torch.testing.assert_close(found[DOCUMENT != 0], plain[DOCUMENT != 0])


@pytest.mark.parametrize("cell", CELLS)
def test_every_weight_keeps_its_gradient_where_it_was_not_dropped(build, inputs, cell):
    model = build((f"model={cell}", "model.weight_dropout=0.5"), causal=False).train()
    model(inputs).states.square().sum().backward()
    for name, weight in model.layers.named_parameters():
        share = (weight.grad != 0).float().mean()
        assert 0.2 < share < 0.8 if "weight_hh" in name else share > 0.8, (name, share)


def test_evaluation_keeps_every_bit(build, inputs):
    dropping, plain = build(("model=lstm", "model.weight_dropout=0.5")), build(("model=lstm",))
    torch.testing.assert_close(dropping(inputs).states, plain(inputs).states, atol=0, rtol=0)


def test_the_other_direction_loses_other_weights(build):
    model = build(("model=lstm", "model.weight_dropout=0.5", "model.num_layers=1"), causal=False).train()
    layer = model.layers[0]
    layer.backwards.load_state_dict(layer.forwards.state_dict())
    there, back = layer(torch.ones(1, 6, 24), None, None)[0].chunk(2, dim=-1)
    assert (there - back.flip(1)).abs().max() > 1e-3


def test_a_cell_without_such_weights_is_refused():
    with pytest.raises(Mistake, match=re.escape("model.weight_dropout=0.5 falls on weights called weight_hh")):
        WeightDropout(0.5, cells=(nn.Linear(2, 2),))
    WeightDropout(0.0, cells=(nn.Linear(2, 2),))
