"""Every optimizer of conf/optimizer: learns, resumes exactly, leaves alone what has no gradient."""

import copy
import io
from functools import partial
from importlib import import_module
from pathlib import Path

import pytest
import torch
import yaml
from torch import nn

from lmlab.optimizer.groups import parameter_groups

OPTIONS = sorted((Path(__file__).parents[2] / "conf" / "optimizer").glob("*.yaml"))
every_option = pytest.mark.parametrize("path", OPTIONS, ids=lambda path: path.stem)


def factory(path, **changes):
    keys = yaml.safe_load(path.read_text()) | changes
    module, name = keys.pop("_target_").rsplit(".", 1)
    assert keys.pop("_partial_") is True
    return partial(getattr(import_module(module), name), **keys)


def network():
    torch.manual_seed(1)
    return nn.Sequential(
        nn.Embedding(7, 6), nn.Linear(6, 9), nn.Tanh(), nn.Linear(9, 6), nn.LayerNorm(6), nn.Linear(6, 7)
    )


def train(module, optimizer, steps, start=0):
    losses = []
    for step in range(start, start + steps):
        ids = torch.randint(0, 7, (16,), generator=torch.Generator().manual_seed(step))
        loss = nn.functional.cross_entropy(module(ids), (ids + 1) % 7)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


@every_option
def test_every_optimizer_lowers_the_loss(path):
    module = network()
    losses = train(module, factory(path, lr=0.05)(parameter_groups(module)), 40)
    assert losses[-1] < 0.5 * losses[0]


@every_option
def test_every_optimizer_resumes_to_the_same_bits_from_a_file_of_plain_data(path):
    whole, first, second = network(), network(), network()
    train(whole, factory(path)(parameter_groups(whole)), 9)
    optimizer = factory(path)(parameter_groups(first))
    train(first, optimizer, 4)
    file = io.BytesIO()
    torch.save({"model": first.state_dict(), "optimizer": optimizer.state_dict()}, file)
    file.seek(0)
    checkpoint = torch.load(file, weights_only=True)
    second.load_state_dict(checkpoint["model"])
    optimizer = factory(path)(parameter_groups(second))
    optimizer.load_state_dict(checkpoint["optimizer"])
    train(second, optimizer, 5, start=4)
    for one, other in zip(whole.parameters(), second.parameters(), strict=True):
        assert torch.equal(one, other)


@every_option
def test_every_optimizer_leaves_parameters_without_a_gradient_alone(path):
    module = network()
    optimizer = factory(path)(parameter_groups(module))
    train(module, optimizer, 2)
    before, state = copy.deepcopy(module.state_dict()), copy.deepcopy(optimizer.state_dict())
    optimizer.zero_grad(set_to_none=True)
    optimizer.step()
    for name, value in module.state_dict().items():
        assert torch.equal(value, before[name])
    for index, values in optimizer.state_dict()["state"].items():
        assert all(
            torch.equal(value, state["state"][index][name]) for name, value in values.items() if value is not None
        )


@every_option
def test_weight_decay_shrinks_weights_and_not_norms_and_biases(path):
    module = network()
    optimizer = factory(path, lr=0.1, weight_decay=0.5)(parameter_groups(module))
    before = copy.deepcopy(module.state_dict())
    for parameter in module.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    for name, parameter in module.named_parameters():
        if parameter.ndim < 2:
            assert torch.equal(parameter, before[name])
        else:
            assert parameter.norm() < before[name].norm()
