import torch
from torch import nn

from lmlab.budget.shapes import shapes_only


def made() -> nn.ModuleList:
    model = nn.ModuleList([nn.Embedding(7, 4), nn.Linear(4, 5), nn.LSTM(4, 3)])
    nn.init.normal_(model[1].weight, std=0.1)
    nn.init.uniform_(tensor=model[1].bias)
    return model


def test_what_is_built_has_the_shapes_that_it_would_have_and_draws_nothing():
    before = torch.get_rng_state()
    with shapes_only():
        model = made()
    assert torch.equal(torch.get_rng_state(), before)
    assert [parameter.shape for parameter in model.parameters()] == [one.shape for one in made().parameters()]
    assert all(parameter.is_meta and parameter.requires_grad for parameter in model.parameters())
