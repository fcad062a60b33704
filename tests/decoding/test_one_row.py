import copy

import torch
from torch import nn

from lmlab.decoding.one_row import lay_out_for_one_row


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(40, 8)
        self.narrow, self.output = nn.Linear(8, 4), nn.Linear(8, 40, bias=False)
        self.output.weight = self.embedding.weight

    def forward(self, ids):
        states = self.embedding(ids)
        return self.output(states), self.narrow(states)


def test_columns_of_maps_that_widen_are_contiguous_and_values_stay():
    model = Tied()
    laid = copy.deepcopy(model)
    lay_out_for_one_row(laid)
    assert laid.output.weight.stride() == (1, 40)
    assert laid.output.weight is laid.embedding.weight
    assert laid.narrow.weight.is_contiguous()
    for before, after in zip(model(torch.tensor([[3, 39]])), laid(torch.tensor([[3, 39]])), strict=True):
        torch.testing.assert_close(before, after)
    for before, after in zip(model.state_dict().values(), laid.state_dict().values(), strict=True):
        assert torch.equal(before, after)


def test_bfloat16_keeps_its_rows():
    model = Tied().bfloat16()
    lay_out_for_one_row(model)
    assert model.output.weight.is_contiguous()
